"""A city's register of cameras from a CSV or GeoJSON file: read, judged row by row, placed, and stored by code."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import shapely
from psycopg import AsyncConnection

from grid import audit, clock, events, geometry
from grid.database import Scope, row, rows
from grid.errors import HdqError, InvalidInput
from grid.world import cells, regions
from grid.world.atlas import CITY, Atlas
from grid.world.bulk import copy_columns, copy_rows
from grid.world.cameras import POSE, Camera, Preset

MOST = 300_000
TOLD = 100
"""Refused rows that are told one by one; the rest are counted."""

WORDS = {
    "编码": "code", "国标编码": "code", "名称": "name", "类型": "kind", "经度": "lon", "纬度": "lat", "地面高程": "ground_m", "离地高度": "height_m", "方位角": "azimuth_deg",
    "俯仰角": "pitch_deg", "水平视场角": "hfov_deg", "作用距离": "range_m", "姿态误差": "pose_sigma_deg", "图像宽": "image_width", "图像高": "image_height", "视频流": "stream",
    "算法": "detectors", "权属单位": "owner", "用途": "purpose", "保存天数": "retention_days", "焦距": "lens_mm", "预置位": "presets", "高点": "tower", "街面": "street",
}  # fmt: skip
"""Chinese headings (and kinds) of a file to ours."""

NUMBERS: dict[str, tuple[float, float, float | None]] = {
    "lon": (-180, 180, None), "lat": (-90, 90, None), "azimuth_deg": (0, 360, None), "ground_m": (-500, 9000, 0.0), "height_m": (0.5, 1000, 6.0),
    "pitch_deg": (-90, 90, -15.0), "hfov_deg": (0.1, 179.9, 70.0), "range_m": (1, 50_000, 120.0), "pose_sigma_deg": (0, 90, 1.5),
    "image_width": (16, 20_000, 1920), "image_height": (16, 20_000, 1080), "retention_days": (1, 3650, 30), "lens_mm": (0.5, 5000, float("nan")),
}  # fmt: skip
"""Least and most of each number, and what it is when left out (None: it must be given). Degrees and metres as of Camera."""

WHOLE = ("image_width", "image_height", "retention_days")
TEXTS = {"name": 120, "owner": 120, "purpose": 200}
CLEARED = frozenset({"stream", "detectors", "presets", "owner", "purpose", "lens_mm"})
"""What an empty cell of a column takes from a known camera; any other empty cell, like a column that is absent, leaves it as it is."""

LEFT_OUT = frozenset({*NUMBERS, *TEXTS, "kind", "stream", "detectors"}) - {"lon", "lat", "azimuth_deg"}
"""What a row may leave out."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row of the file (from 1, the heading not counted) that was left out."""

    line: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """`refused`: the first 100; `refused_count`: all of them."""

    added: int
    changed: int
    refused_count: int
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class Register:
    """The sound rows of a file, each code once, with their lines and the columns they give; `presets` beside them by code."""

    cameras: list[Camera]
    lines: list[int]
    given: list[frozenset[str]]
    presets: dict[str, tuple[Preset, ...]]
    refused: list[Refused]


def read(content: bytes, judge: Callable[[str], HdqError | None]) -> Register:
    """The rows of a CSV (UTF-8 or GB18030, headings ours or Chinese) or GeoJSON FeatureCollection (points in WGS 84), not yet placed in regions.

    Columns: code, name, kind (tower or street), lon, lat, azimuth_deg and, as far as known, those of NUMBERS and TEXTS, `stream`, `detectors` (a;b) and
    `presets` (name:azimuth:pitch:hfov;…). `judge` says why a stream may not be opened. Raises InvalidInput when the file as a whole cannot be read.
    """
    cameras, lines, columns, presets, refused, seen = [], [], [], {}, [], set()
    for line, values in enumerate(_lines(content), 1):
        if line > MOST:
            raise InvalidInput(f"摄像机过多 · more than {MOST:,} cameras", remedy="split the file")
        code = str(values.get("code") or "").strip()
        try:
            camera, given = _camera(values, judge)
            if code in seen:
                raise InvalidInput(f"编码重复 · {code} stands in the file twice")
        except HdqError as error:
            refused.append(Refused(line, code[:40], error.detail))
            continue
        seen.add(code)
        cameras.append(camera)
        lines.append(line)
        columns.append(frozenset(name for name, value in values.items() if name in CLEARED or str("" if value is None else value).strip()))
        if given:
            presets[code] = given
    return Register(cameras, lines, columns, presets, refused)


def _lines(content: bytes) -> list[dict[str, object]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030", "replace")
    if text.lstrip().startswith("{"):
        try:
            features = json.loads(text)["features"]
            found = [dict(feature["properties"]) | dict(zip(("lon", "lat"), feature["geometry"]["coordinates"][:2], strict=True)) for feature in features]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidInput(f"不是点要素的 GeoJSON · no FeatureCollection of points: {error!r}", remedy="send a FeatureCollection of Point features") from error
    else:
        try:
            found = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        except csv.Error as error:
            raise InvalidInput(f"CSV 无法读取 · the CSV cannot be read: {error}", remedy="send a CSV with a heading line") from error
    if not found:
        raise InvalidInput("文件中没有摄像机 · the file holds no camera", remedy="send a CSV with a heading line, or a FeatureCollection of points")
    return [{WORDS.get(str(key).strip(), str(key).strip()): value for key, value in values.items()} for values in found]


def _camera(values: dict[str, object], judge: Callable[[str], HdqError | None]) -> tuple[Camera, tuple[Preset, ...]]:
    code = str(values.get("code") or "").strip()
    if not (len(code) == 20 and code.isascii() and code.isdigit()):
        raise InvalidInput(f"编码须为 20 位数字 · code {code[:40]!r} is not 20 digits (GB/T 28181)")
    kind = str(values.get("kind") or "street").strip()
    kind = WORDS.get(kind, kind)
    if kind not in ("tower", "street"):
        raise InvalidInput(f"类型无效 · kind {kind[:40]!r} is neither tower (高点) nor street (街面)")
    numbers = {name: _number(name, values.get(name)) for name in NUMBERS}
    texts = {name: _text(name, values.get(name)) for name in TEXTS}
    stream = str(values.get("stream") or "").strip() or None
    if stream is not None and (wrong := judge(stream)) is not None:
        raise wrong
    lon, lat, lens = numbers.pop("lon"), numbers.pop("lat"), numbers.pop("lens_mm")
    camera = Camera(
        id=0, code=code, kind=kind, stream=stream, detectors=tuple(_parts(values.get("detectors"))), state="online", last_frame_at=None, region_code="", cell_code=None,
        simulated=False, geom=shapely.Point(lon, lat), view=geometry.view_sector(lon, lat, numbers["azimuth_deg"], numbers["hfov_deg"], numbers["range_m"]),
        lens_mm=None if np.isnan(lens) else lens, **{**texts, "name": texts["name"] or code}, **{n: int(v) if n in WHOLE else v for n, v in numbers.items()},
    )  # fmt: skip
    return camera, tuple(_preset(part) for part in _parts(values.get("presets")))


def _number(name: str, given: object) -> float:
    low, high, default = NUMBERS[name]
    if given is None or str(given).strip() == "":
        if default is None:
            raise InvalidInput(f"缺少 {name} · {name} is missing")
        return default
    try:
        number = float(str(given))
    except ValueError:
        raise InvalidInput(f"{name} 不是数字 · {name} {str(given)[:40]!r} is no number") from None
    if not low <= number <= high:
        raise InvalidInput(f"{name} 超出范围 · {name} {number:g} is not between {low:g} and {high:g}")
    return number % 360 if name == "azimuth_deg" else number


def _text(name: str, given: object) -> str:
    text = " ".join(str(given or "").replace("\x00", "").split())
    if len(text) > TEXTS[name]:
        raise InvalidInput(f"{name} 过长 · {name} has more than {TEXTS[name]} characters")
    return text


def _parts(given: object) -> list[str]:
    return [part.strip() for part in str(given or "").replace("；", ";").split(";") if part.strip()]


def _preset(text: str) -> Preset:
    name, *numbers = text.replace("：", ":").split(":")
    if len(numbers) != 3 or not 1 <= len(name) <= 60:
        raise InvalidInput(f"预置位无效 · preset {text[:60]!r} is not name:azimuth:pitch:hfov")
    return Preset(name, *(_number(field, value) for field, value in zip(("azimuth_deg", "pitch_deg", "hfov_deg"), numbers, strict=True)))


async def store(connection: AsyncConnection, scope: Scope, register: Register, staff_id: int) -> Imported:
    """Places the cameras in regions and grids and adds or changes them by code, in the caller's transaction.

    A camera outside `scope`, by its place or by what is stored under its code, is refused. Of known ones only what the file gives changes; state, last
    frame, reference picture and control points stay unless the pose changed: then a moved one is well again. Publishes one camera.changed and writes one line of audit.
    """
    codes = {"codes": [camera.code for camera in register.cameras]}
    names = [field.name for field in fields(Camera) if field.name != "id"]
    query = f"SELECT {', '.join(names)} FROM cameras WHERE code = ANY(%(codes)s) ORDER BY id FOR NO KEY UPDATE"
    known = {found["code"]: found for found in await rows(connection, query, codes)}
    atlas, divided = await _atlas(connection)
    region, cell = atlas.places([c.lon for c in register.cameras], [c.lat for c in register.cameras])
    placed, presets, refused = [], {}, list(register.refused)
    for line, camera, given, region_code, cell_code in zip(register.lines, register.cameras, register.given, region, cell, strict=True):
        if divided and region_code == CITY:
            refused.append(Refused(line, camera.code, f"不在任何区县内 · {camera.lon:.5f}, {camera.lat:.5f} lies in no district"))
            continue
        stored = known.get(camera.code)
        if not scope.covers(region_code) or (stored is not None and not scope.covers(stored["region_code"])):
            refused.append(Refused(line, camera.code, "不在您的辖区内 · it lies outside your region"))
            continue
        kept = {} if stored is None else {name: stored[name] for name in LEFT_OUT - given}
        if {"hfov_deg", "range_m"} & set(kept):
            hfov_deg, range_m = (kept.get(name, getattr(camera, name)) for name in ("hfov_deg", "range_m"))
            kept["view"] = geometry.view_sector(camera.lon, camera.lat, camera.azimuth_deg, hfov_deg, range_m)
        placed.append(replace(camera, **kept, region_code=region_code, cell_code=cell_code))
        if "presets" in given:
            presets[camera.code] = register.presets.get(camera.code, ())
    await connection.execute("CREATE TEMP TABLE arriving_cameras (LIKE cameras INCLUDING DEFAULTS) ON COMMIT DROP")
    await connection.execute("ALTER TABLE arriving_cameras DROP COLUMN id")
    await copy_rows(connection, "arriving_cameras", placed)
    untouched = ("code", "state", "last_frame_at", "simulated")
    done = await row(
        connection,
        f"""
        WITH turned AS (
            SELECT c.id FROM cameras AS c JOIN arriving_cameras AS a USING (code) WHERE c.region_code LIKE %(scope)s AND {_differs("c", "a")}
        ), forgotten AS (
            DELETE FROM camera_references WHERE camera_id IN (SELECT id FROM turned)
        ), unfixed AS (
            DELETE FROM camera_controls WHERE camera_id IN (SELECT id FROM turned)
        ), stored AS (
            INSERT INTO cameras AS c ({", ".join(names)}) SELECT {", ".join(names)} FROM arriving_cameras
            ON CONFLICT (code) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in names if name not in untouched)}, simulated = false,
                state = CASE WHEN c.state IN ('moved', 'wrong_pose') AND {_differs("c", "EXCLUDED")} THEN 'online' ELSE c.state END
            WHERE c.region_code LIKE %(scope)s
            RETURNING id, xmax = 0 AS new
        )
        SELECT count(*) FILTER (WHERE new) AS added, count(*) FILTER (WHERE NOT new) AS changed FROM stored
        """,
        {"scope": scope.like},
    )
    await _store_presets(connection, presets)
    await audit.note(connection, staff_id, "cameras.imported", "cameras", {"added": done["added"], "changed": done["changed"], "refused": len(refused)})
    if placed:
        await events.publish(connection, "camera.changed", "import", scope.prefix, {"added": done["added"], "changed": done["changed"]})
    return Imported(done["added"], done["changed"], len(refused), tuple(refused[:TOLD]))


def _differs(one: str, other: str) -> str:
    """SQL: whether two rows have different poses."""
    left, right = (", ".join(f"{row}.{name}" for name in sorted(POSE)) for row in (one, other))
    return f"({left}) IS DISTINCT FROM ({right})"


async def _store_presets(connection: AsyncConnection, presets: dict[str, tuple[Preset, ...]]) -> None:
    ids = {found["code"]: found["id"] for found in await rows(connection, "SELECT code, id FROM cameras WHERE code = ANY(%(codes)s)", {"codes": list(presets)})}
    await connection.execute("DELETE FROM camera_presets WHERE camera_id = ANY(%(ids)s)", {"ids": list(ids.values())})
    pairs = [(ids[code], preset) for code, given in presets.items() for preset in {preset.name: preset for preset in given}.values()]
    columns = {"camera_id": [camera_id for camera_id, _ in pairs]} | {f.name: [getattr(preset, f.name) for _, preset in pairs] for f in fields(Preset)}
    await copy_columns(connection, "camera_presets", columns)


async def _atlas(connection: AsyncConnection) -> tuple[Atlas, bool]:
    """Regions and today's management grids, and whether the city has districts at all."""
    known = [(r.code, r.level, r.name, r.geom) for level in (2, 3, 4) for r in await regions.of_level(connection, level)]
    grids = [(c.code, c.region_code, c.name, c.geom) for c in await cells.valid_on(connection, Scope(CITY), clock.today())]
    return Atlas(known, grids), any(level == 2 for _, level, _, _ in known)
