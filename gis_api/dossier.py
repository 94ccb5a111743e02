"""The file on one patch 图斑: a report as PDF, and an evidence package of pictures, vectors, log, legality with the versions of the layers, and hashes.

The package is a ZIP: 核查报告.pdf, pictures of both vintages as PNG with world files (EPSG:3857), outlines as GeoJSON and GeoPackage (EPSG:4326), 沿革.jsonl,
合规.json, 说明.txt and manifest.sha256, which `sha256sum -c manifest.sha256` checks.
"""

import hashlib
import io
import json
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import shapely
from PIL import Image, ImageDraw
from psycopg import AsyncConnection
from pyproj import Transformer

from grid import evidence
from grid.casework import cases, field_photos, legality, patches
from grid.casework.legality.lines import VERDICTS, LegalityLine, compose
from grid.casework.legality.registers import REGISTERS
from grid.casework.patches import Patch, Step
from grid.casework.photo_proof import Ground
from grid.clock import ZONE
from grid.database import Scope
from grid.errors import NotFound
from grid.sensing.reasons import KINDS
from grid.world import places
from imagery.scenes import catalogue, tiles
from imagery.scenes.catalogue import Scene
from layers.sheet import FONT, font_folder

SIDE_PX = 900
LEAST_DEG = 0.003
MOST_PHOTOS = 24
WARNING = "含模拟数据，不得作为执法依据\n"
STATES = {"open": "待判断", "confirmed": "属实", "dismissed": "误报", "split": "已切分", "merged": "已并入其他图斑"}
ACTIONS = {
    "found": "发现", "grown": "扩大", "seen": "再次见到", "absorbed": "长到一起", "split": "被切分", "cut": "切分而来", "merged": "并入", "joined": "合并而来",
    "redrawn": "重新勾绘", "confirmed": "判为属实", "dismissed": "判为误报", "reopened": "撤销判断",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is told of a patch: the findings of the law with the versions that decided them, both scenes, the photos of its case with what each proves.

    `shown`: SHA-256 of a photo -> bytes and media type of the blurred copy that the asker may see. Originals stay sealed: see grid.unsealing.
    """

    patch: Patch
    place: str
    steps: list[Step]
    lines: list[LegalityLine]
    findings: list[dict]
    scenes: tuple[Scene, Scene]
    case_number: str
    photos: list[dict]
    shown: dict[str, tuple[bytes, str]]
    by: str
    made_at: datetime


async def gather(connection: AsyncConnection, scope: Scope, data_dir: Path, patch_id: int, by: str, ground: Ground) -> Dossier:
    """Reads what is told of a patch inside the scope; NotFound outside it. `ground`: heights under its photos."""
    patch = await patches.get(connection, scope, patch_id)
    (located,) = await places.locate_many(connection, [patch.lon], [patch.lat])
    day = patch.after_at.astimezone(ZONE).date()
    findings = await legality.judge(connection, patch.geom, patch.kind, day)
    city = Scope(patch.region_code[:4])
    before, after = [await catalogue.get(connection, city, scene) for scene in (patch.before_scene, patch.after_scene)]
    case_number, photos, copies = "", [], {}
    if patch.case_id is not None:
        case = await cases.get(connection, city, patch.case_id)
        case_number = case["number"]
        for step in await cases.steps(connection, patch.case_id):
            for sha256 in step["evidence"]:
                photos.append(await _photo(connection, scope, data_dir, patch, sha256, ground))
                copy = await _copy(connection, scope, data_dir, sha256)
                if copy is not None and len(photos) <= MOST_PHOTOS:
                    copies[sha256] = copy
    told = [
        {
            "rule": one.rule.id, "rule_version": one.rule.version, "title": one.rule.title, "verdict": one.verdict, "reason": one.reason, "clause": one.clause, "area_m2": one.area_m2,
            "open_m2": one.open_m2, "names": list(one.names), "permits": list(one.permits), "layer_versions": dict(one.versions), "decided_by": one.decided_by,
            "on_day": day.isoformat(), "categories": [{"category": c.category, "area_m2": c.area_m2, "mu": c.mu, "open_m2": c.open_m2} for c in one.categories],
        }
        for one in findings
    ]  # fmt: skip
    steps = await patches.steps(connection, patch_id)
    return Dossier(patch, located.name, steps, compose(findings), told, (before, after), case_number, photos[:MOST_PHOTOS], copies, by, datetime.now(UTC))


async def _photo(connection: AsyncConnection, scope: Scope, data_dir: Path, patch: Patch, sha256: str, ground: Ground) -> dict:
    """A photo of the case and what it proves."""
    if patch.alert_id is None:
        return {"sha256": sha256, "counts": None, "text": "没有可核对的告警"}
    try:
        proof = await field_photos.prove(connection, scope, data_dir, patch.alert_id, sha256, ground)
    except NotFound as absent:
        return {"sha256": sha256, "counts": None, "text": absent.detail}
    return {"sha256": sha256, "counts": proof.counts, "text": proof.text, "seen": proof.seen, "probability": proof.probability}


async def _copy(connection: AsyncConnection, scope: Scope, data_dir: Path, sha256: str) -> tuple[bytes, str] | None:
    """The copy of a photo that the asker may see; None outside the scope, while it is not blurred, and when its bytes are gone."""
    try:
        return await evidence.shown(connection, data_dir, sha256, scope)
    except NotFound:
        return None


def frame(patch: Patch) -> tuple[float, float, float, float]:
    """West, south, east, north of the pictures: the patch with as much again around it, square on the ground."""
    west, south, east, north = patch.geom.bounds
    narrow = float(np.cos(np.radians((south + north) / 2)))
    half = max(north - south, (east - west) * narrow, LEAST_DEG)
    lon, lat = (west + east) / 2, (south + north) / 2
    return lon - half / narrow, lat - half, lon + half / narrow, lat + half


def pictures(dossier: Dossier, data_dir: Path) -> tuple[bytes, bytes]:
    """The patch in both vintages as PNG, drawn in one stretch. Raises NotFound when the file of a scene is gone."""
    first, second = dossier.scenes
    look = tiles.look_of(first, data_dir)
    later = tiles.look_of(second, data_dir, look.bands) if set(look.bands) <= set(second.band_names) else tiles.look_of(second, data_dir)
    box = frame(dossier.patch)
    return tiles.chip(first, data_dir, box, look, SIDE_PX), tiles.chip(second, data_dir, box, later, SIDE_PX)


def outlined(png: bytes, dossier: Dossier) -> bytes:
    """The picture with the outline of the patch on it."""
    into = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    west, south, east, north = frame(dossier.patch)
    (left, bottom), (right, top) = into.transform(west, south), into.transform(east, north)
    with Image.open(io.BytesIO(png)) as held:
        image = Image.new("RGB", held.size, "#E4E7EC")
        image.paste(held, mask=held.convert("RGBA").getchannel("A"))
    pen = ImageDraw.Draw(image)
    for part in shapely.get_parts(dossier.patch.geom):
        for ring in (part.exterior, *part.interiors):
            x, y = into.transform(*shapely.get_coordinates(ring).T)
            corners = list(zip((x - left) / (right - left) * image.width, (top - y) / (top - bottom) * image.height, strict=True))
            pen.line(corners, fill="#FFFFFF", width=9, joint="curve")
            pen.line(corners, fill="#E5484D", width=5, joint="curve")
    made = io.BytesIO()
    image.save(made, "PNG")
    return made.getvalue()


def report(dossier: Dossier, drawn: tuple[bytes, bytes]) -> bytes:
    """The report as PDF. Typst sees the two pictures and the font, nothing else. Raises Unavailable without the font."""
    import typst  # when a report is made: not at every start

    with tempfile.TemporaryDirectory(prefix="hdq-dossier-") as folder:
        for name, png in zip(("before.png", "after.png"), drawn, strict=True):
            (Path(folder) / name).write_bytes(outlined(png, dossier))
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(font_folder())])
        source = Path(folder) / "dossier.typ"
        source.write_bytes((Path(__file__).parent / "dossier.typ").read_bytes())
        compiler = typst.Compiler(str(source), root=folder, font_paths=fonts, sys_inputs={"said": json.dumps(_said(dossier), ensure_ascii=False)})
        return compiler.compile(format="pdf")


def titled(register: str) -> str:
    """A register in words."""
    return REGISTERS[register].title if register in REGISTERS else {"permits": "许可证"}.get(register, register)


def _said(dossier: Dossier) -> dict:
    """The words of the report."""
    patch = dossier.patch
    day = lambda at: "" if at is None else f"{at.astimezone(ZONE):%Y-%m-%d}"  # noqa: E731
    return {
        "font": FONT,
        "title": f"图斑核查报告 #{patch.id}",
        "simulated": patch.simulated,
        "facts": [
            ["变化类型", KINDS.get(patch.kind, (patch.kind,))[0]], ["状态", STATES[patch.state]], ["位置", dossier.place], ["坐标（CGCS2000）", f"{patch.lon:.6f}, {patch.lat:.6f}"],
            ["面积", f"{patch.area_mu:.2f} 亩（{patch.area_m2:,.0f} 平方米，椭球面积）"], ["前时相", f"{day(patch.before_at)}  {patch.before_scene}"],
            ["后时相", f"{day(patch.after_at)}  {patch.after_scene}"], ["分析", f"{patch.analysis}，得分 {patch.score:.2f}，见于 {patch.seen} 次分析"],
            ["案件", dossier.case_number or "无"],
        ],
        "before": f"前时相 {day(patch.before_at)}", "after": f"后时相 {day(patch.after_at)}",
        "legality": [
            [VERDICTS[line.verdict][0], line.text, line.clause, "" if line.version is None else f"{titled(line.layer)}第 {line.version} 版"] for line in dossier.lines
        ],
        "steps": [[f"{step.at.astimezone(ZONE):%Y-%m-%d %H:%M}", ACTIONS[step.action], step.by or "系统", step.reason, f"{step.area_m2:,.0f}"] for step in dossier.steps],
        "photos": [[photo["sha256"][:16], {True: "计入", False: "不计入", None: "未核对"}[photo["counts"]], photo["text"]] for photo in dossier.photos],
        "scenes": [[scene.id, scene.sha256] for scene in dossier.scenes],
        "made": f"{dossier.made_at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}（北京时间）  {dossier.by}",
    }  # fmt: skip


def package(dossier: Dossier, data_dir: Path) -> bytes:
    """The evidence package as ZIP bytes; every file stands in manifest.sha256 with its hash."""
    drawn = pictures(dossier, data_dir)
    files: dict[str, bytes] = {
        "核查报告.pdf": report(dossier, drawn),
        "影像/前时相.png": drawn[0], "影像/后时相.png": drawn[1], "影像/前时相.pgw": _world(drawn[0], dossier), "影像/后时相.pgw": _world(drawn[1], dossier),
        "矢量/图斑.geojson": _geojson(dossier), "矢量/图斑.gpkg": _geopackage(dossier),
        "沿革.jsonl": "".join(json.dumps(_logged(step), ensure_ascii=False) + "\n" for step in dossier.steps).encode(),
        "合规.json": json.dumps({"findings": dossier.findings, "lines": [asdict(line) for line in dossier.lines]}, ensure_ascii=False, indent=1).encode(),
        "照片核对.json": json.dumps(dossier.photos, ensure_ascii=False, indent=1).encode(),
        "说明.txt": _about(dossier).encode(),
    }  # fmt: skip
    for sha256, (content, media_type) in dossier.shown.items():
        files[f"照片/{sha256}{'.png' if media_type == 'image/png' else '.jpg'}"] = content
    files["manifest.sha256"] = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())).encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, dossier.made_at.astimezone(ZONE).timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _world(png: bytes, dossier: Dossier) -> bytes:
    """The six lines of a world file in EPSG:3857."""
    with Image.open(io.BytesIO(png)) as image:
        width, height = image.size
    into = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    west, south, east, north = frame(dossier.patch)
    (left, bottom), (right, top) = into.transform(west, south), into.transform(east, north)
    across, down = (right - left) / width, (top - bottom) / height
    return "".join(f"{value:.9f}\n" for value in (across, 0, 0, -down, left + across / 2, top - down / 2)).encode()


def _logged(step: Step) -> dict:
    told = {name: getattr(step, name) for name in Step.__slots__ if name != "geom"}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()} | {"outline": None if step.geom is None else shapely.to_wkt(step.geom, rounding_precision=8)}


def _outlines(dossier: Dossier) -> list[tuple[str, str, float, shapely.Geometry]]:
    """What, when, m² and shape: the patch as it stands, then each outline it had."""
    held = [("现状", dossier.made_at.isoformat(), dossier.patch.area_m2, dossier.patch.geom)]
    return held + [(ACTIONS[step.action], step.at.isoformat(), step.area_m2, step.geom) for step in dossier.steps if step.geom is not None]


def _geojson(dossier: Dossier) -> bytes:
    features = [
        {"type": "Feature", "properties": {"what": what, "at": at, "area_m2": area, "patch": dossier.patch.id}, "geometry": shapely.geometry.mapping(shape)}
        for what, at, area, shape in _outlines(dossier)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode()


def _geopackage(dossier: Dossier) -> bytes:
    import pyogrio.raw

    what, at, area, shapes = zip(*_outlines(dossier), strict=True)
    with tempfile.TemporaryDirectory(prefix="hdq-dossier-") as folder:
        path = Path(folder) / "patch.gpkg"
        pyogrio.raw.write(
            path, np.array([shapely.to_wkb(shape) for shape in shapes], object), [np.array(what, object), np.array(at, object), np.array(area)],
            ["what", "at", "area_m2"], layer="patch", driver="GPKG", geometry_type="MultiPolygon", crs="EPSG:4326",
        )  # fmt: skip
        return path.read_bytes()


def _about(dossier: Dossier) -> str:
    versions = {layer: version for finding in dossier.findings for layer, version in finding["layer_versions"].items()}
    return (
        f"图斑 #{dossier.patch.id} 证据包\n生成：{_said(dossier)['made']}\n{WARNING if dossier.patch.simulated else ''}"
        "校验：sha256sum -c manifest.sha256\n影像：PNG 与世界文件，EPSG:3857；矢量：EPSG:4326（等同 CGCS2000）\n"
        f"原始影像哈希：{'；'.join(f'{scene.id} {scene.sha256}' for scene in dossier.scenes)}\n"
        f"登记版本：{'；'.join(f'{titled(layer)}第 {version} 版' for layer, version in sorted(versions.items())) or '无'}\n"
    )
