"""The one door: everything that notices something in the world comes in through `accept`, or many at once as columns through `accept_columns`."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from psycopg import AsyncConnection

from grid import events, geometry, jobs
from grid.crs import QINGDAO
from grid.database import Scope
from grid.errors import HdqError, InvalidInput, TooLarge
from grid.sensing import columns, copying, observations
from grid.sensing.columns import Columns
from grid.sensing.observations import SENSOR_KINDS, Accepted, Finding
from grid.world import places

LARGEST_BATCH = 20_000
BULK = 500
"""From so many on, findings go in by COPY: below, one statement is sooner."""
SHOWN = 200
"""An event about many names so many of them."""
FUTURE = timedelta(minutes=5)
LATE = timedelta(hours=24)
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
MOST_VERTICES = 20_000
MOST_PROPERTIES = 16_384
MOST_LEVELS = 64
"""Objects and lists inside one another that every reader of JSON can follow."""
ISSUED = frozenset({"official_warning"})
"""Kinds that an authority says in a message of its own (CAP) and no sensor."""
DEGREE_M = 80_000.0
"""Metres that a degree has at least here, whichever way: a length in degrees comes out no longer than it is."""
IN_FLIGHT = 4_710_201
"""Advisory lock that every accepting transaction shares until it ends; fusion reads from it who is still on the way (see fusion.settle)."""

SHARED = "SELECT pg_advisory_xact_lock_shared(%(key)s)"

_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LEVELS = (12, 9, 6, 4)


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What became of findings that came as columns, in their order: row ids, whether each is new, and its place."""

    ids: NDArray[np.int64]
    new: NDArray[np.bool_]
    region_codes: pa.StringArray
    cell_codes: pa.StringArray

    def first_outside(self, scope: Scope) -> int | None:
        """The first row that lies in none of a caller's regions; None when all are theirs."""
        foreign = [code for code in self.region_codes.unique().to_pylist() if not scope.covers(code)]
        return pc.index_in(pa.array(foreign), self.region_codes).drop_null().to_numpy().min().item() if foreign else None


async def accept(connection: AsyncConnection, findings: Sequence[Finding], *, now: datetime | None = None, scope: Scope | None = None) -> list[Accepted]:
    """Takes findings in, all or none, in the caller's transaction; one Accepted each, in their order. Call it late: it publishes.

    A finding whose (source, source_event_id) is known from its month of recording stays as it was and comes back with new=False: who sends one
    again sends its time as it was. One recorded more than 24 h ago is taken and marked in its properties (`late_s`). Enqueues one `fuse` job and publishes one observation.accepted for what is new.
    `scope`: of a caller from outside, who sees to it that places lie in it; then cameras do too, a footprint lies at its place, and no kind is one of ISSUED.
    Raises InvalidInput with `errors`: [{row, field, value, detail, remedy}], rows from 0, or TooLarge beyond 20,000 findings.
    """
    _bounded(len(findings))
    if not findings:
        return []
    now = now or datetime.now(UTC)
    sound = _sound(enumerate(findings), now, outside=scope is not None)
    if len(sound) >= BULK:
        taken = await _store(connection, columns.of(sound), now, scope)
        each = zip(taken.ids.tolist(), sound, taken.new.tolist(), taken.region_codes.to_pylist(), taken.cell_codes.to_pylist(), strict=True)
        return [Accepted(row_id, f.source, f.source_event_id, new=new, region_code=region, cell_code=cell) for row_id, f, new, region, cell in each]
    await _known({f.camera_id: i for i, f in enumerate(sound) if f.camera_id is not None}, {sha: i for i, f in enumerate(sound) for sha in f.evidence}, connection, scope)
    await connection.execute(SHARED, {"key": IN_FLIGHT})
    located = await places.locate_many(connection, [f.place.x for f in sound], [f.place.y for f in sound])
    fresh = await observations.insert(connection, sound, [(p.region_code, p.cell_code) for p in located], [_marked(f, now) for f in sound])
    keys = [observations.identity(f.source, f.source_event_id, f.recorded_at) for f in sound]
    known = [key for key in keys if key not in fresh]
    before = await observations.known(connection, [key[0] for key in known], [key[1] for key in known]) if known else {}
    stored = before | fresh
    accepted = []
    unseen = set(fresh)
    for finding, key in zip(sound, keys, strict=True):
        row_id, region_code, cell_code = stored[key]
        accepted.append(Accepted(row_id, finding.source, finding.source_event_id, new=key in unseen, region_code=region_code, cell_code=cell_code))
        unseen.discard(key)
    new = [a for a in accepted if a.new]
    if new:
        kinds = {f.kind for f, key in zip(sound, keys, strict=True) if key in fresh}
        await _tell(connection, [a.id for a in new[:SHOWN]], len(new), {a.region_code for a in new}, kinds)
    return accepted


async def accept_columns(connection: AsyncConnection, batch: Columns, *, now: datetime | None = None, scope: Scope | None = None) -> Taken:
    """`accept` for findings that came as columns: the same checks, the same rows, one job and one event, without an object for each."""
    _bounded(len(batch))
    now = now or datetime.now(UTC)
    if not len(batch):
        return Taken(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool), pa.array([], pa.string()), pa.array([], pa.string()))
    asked = doubtful(batch, now)
    sound = _sound(((row, batch.finding(row)) for row in asked), now, outside=scope is not None)
    batch = replace(batch, whole={row: finding for row, finding in zip(asked, sound, strict=True) if row in batch.whole})
    return await _store(connection, batch, now, scope)


def doubtful(batch: Columns, now: datetime) -> list[int]:
    """Rows that a look at whole columns cannot clear: they are checked one by one, as every finding is.

    >>> doubtful(Columns("s", ["a", "b", ""], "camera", "smoke", *(np.full(3, v) for v in (0.5, 10**15, 120.4, 36.1)), np.array([5.0, 0.0, 5.0])), datetime.now(UTC))
    [1, 2]
    """
    low, high = (int((moment - columns.EPOCH) / columns.MICROSECOND) for moment in (FIRST, now + FUTURE))
    west, south, east, north = QINGDAO
    with np.errstate(invalid="ignore"):
        clear = (batch.score >= 0.0) & (batch.score <= 1.0) & (batch.accuracy_m >= 0.01) & (batch.accuracy_m <= 100_000.0)
        clear &= (batch.recorded_us >= low) & (batch.recorded_us <= high)
        clear &= (batch.lon >= west) & (batch.lon <= east) & (batch.lat >= south) & (batch.lat <= north)
    for name in columns.HEAD:
        given = getattr(batch, name)
        if isinstance(given, str):
            clear &= _fits(name, given)
        else:
            clear &= np.array([_fits(name, value) for value in given.dictionary.to_pylist()])[given.indices.to_numpy()]
    if not _plainly_visible(batch.source_event_id):
        clear &= np.array([1 <= len(value) <= 200 and value.isprintable() for value in batch.source_event_id.to_pylist()])
    clear[list(batch.whole)] = False
    return np.flatnonzero(~clear).tolist()


def _plainly_visible(texts: pa.StringArray) -> bool:
    """Whether each is of 1 to 200 visible ASCII characters, told by their bytes alone.

    >>> [_plainly_visible(pa.array(given)) for given in (["a", "b c~"], ["a", ""], ["é"], ["a\\x7f"], ["a" * 201])]
    [True, False, False, False, False]
    """
    sizes = pc.binary_length(texts).to_numpy()
    _, offsets, data = texts.buffers()
    first, last = np.frombuffer(offsets, dtype=np.int32, count=texts.offset + len(texts) + 1)[[texts.offset, -1]]
    letters = np.frombuffer(data, dtype=np.uint8)[first:last] if data is not None else sizes
    return bool(sizes.min() >= 1 and sizes.max() <= 200 and letters.min() >= 0x20 and letters.max() <= 0x7E)


def _fits(name: str, value: str) -> bool:
    if name == "sensor_kind":
        return value in SENSOR_KINDS
    if name == "kind":
        return _KIND.fullmatch(value) is not None and value not in ISSUED
    return (name != "source" or value != "") and len(value) <= 200 and value.isprintable()


async def _store(connection: AsyncConnection, batch: Columns, now: datetime, scope: Scope | None) -> Taken:
    """Checked findings into the table, with their places; one job and one event for those that are new."""
    cameras = {} if batch.camera_id is None else {camera: row for row, camera in enumerate(batch.camera_id.to_pylist()) if camera is not None}
    await _known(cameras, {sha: row for row, f in batch.whole.items() for sha in f.evidence}, connection, scope)
    await connection.execute(SHARED, {"key": IN_FLIGHT})
    regions, cells = await places.codes_many(connection, batch.lon, batch.lat)
    late_us = int((now - columns.EPOCH) / columns.MICROSECOND) - batch.recorded_us
    properties = {row: f.properties for row, f in batch.whole.items() if f.properties}
    for row in np.flatnonzero(late_us > LATE / columns.MICROSECOND).tolist():
        properties[row] = {**properties.get(row, {}), "late_s": round(int(late_us[row]) / 1e6)}
    stored = await copying.store(connection, batch, regions, cells, properties)
    if stored.known:
        told = regions.to_pylist(), cells.to_pylist()
        for row, place in stored.known.items():
            told[0][row], told[1][row] = place
        regions, cells = (pa.array(codes, pa.string()) for codes in told)
    fresh = np.flatnonzero(stored.new)
    if len(fresh):
        whole = len(fresh) == len(batch)
        new_regions = regions if whole else regions.take(pa.array(fresh))
        kinds = batch.distinct("kind") if whole else set(batch.texts("kind").take(pa.array(fresh)).unique().to_pylist())
        await _tell(connection, stored.ids[fresh[:SHOWN]].tolist(), len(fresh), new_regions.unique().to_pylist(), kinds)
    return Taken(stored.ids, stored.new, regions, cells)


async def _tell(connection: AsyncConnection, ids: Sequence[int], count: int, regions: Collection[str], kinds: set[str]) -> None:
    """One job and one event, however many there are; `ids`: the first of them."""
    await jobs.enqueue(connection, "fuse", queueing_lock="fuse", priority=10)
    payload = {"ids": list(ids), "count": count, "kind": kinds.pop() if len(kinds) == 1 else "mixed"}
    await events.publish(connection, "observation.accepted", ids[0], common_region(regions), payload)


def _bounded(count: int) -> None:
    if count > LARGEST_BATCH:
        raise TooLarge(f"一批 {count:,} 条 · a batch of {count:,} findings", remedy=f"每批至多 {LARGEST_BATCH:,} 条 · at most {LARGEST_BATCH:,}")


def common_region(codes: Collection[str]) -> str:
    """The deepest region that holds all of them: an event about many is for those who may see each. Empty: for nobody.

    >>> common_region(["370202001001", "370202003002"]), common_region(["370202001001", "370212"]), common_region([])
    ('370202', '3702', '')
    """
    if not codes:
        return ""
    low, high = min(codes), max(codes)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[: next((level for level in _LEVELS if level <= same), 0)]


def _marked(finding: Finding, now: datetime) -> dict:
    delay = now - finding.recorded_at
    return {**finding.properties, "late_s": round(delay.total_seconds())} if delay > LATE else finding.properties


def _sound(findings: Iterable[tuple[int, Finding]], now: datetime, *, outside: bool) -> list[Finding]:
    problems: list[dict] = []
    sound = []
    for row, finding in findings:
        try:
            checked = _checked(finding, now)
            if outside:
                _sensed(checked)
                _at_place(checked)
            sound.append(checked)
        except _Wrong as wrong:
            problems.append({"row": row, "field": wrong.field, "value": wrong.value, "detail": wrong.detail, "remedy": wrong.remedy})
    if problems:
        first = problems[0]
        raise InvalidInput(
            f"第 {first['row']} 条 {first['field']} = {first['value']}：{first['detail']}" + (f"（共 {len(problems)} 条有误）" if len(problems) > 1 else ""),
            remedy=first["remedy"],
            errors=problems[:50],
        )
    return sound


class _Wrong(HdqError):
    """One field of one finding; gathered by `_sound`, never leaves this file."""

    def __init__(self, field: str, value: object, detail: str, remedy: str) -> None:
        super().__init__(detail, remedy=remedy)
        self.field = field
        try:
            self.value = repr(value[:120] if isinstance(value, str) else value)[:120]
        except RecursionError:
            self.value = type(value).__name__


def _checked(finding: Finding, now: datetime) -> Finding:
    """The finding with a clean footprint; raises _Wrong for the first field that cannot be right."""
    _text("source", finding.source, 1, 200)
    _text("source_event_id", finding.source_event_id, 1, 200)
    if finding.sensor_kind not in SENSOR_KINDS:
        raise _Wrong("sensor_kind", finding.sensor_kind, "没有这种来源 · no such kind of sensor", f"one of {', '.join(SENSOR_KINDS)}")
    if not (isinstance(finding.kind, str) and _KIND.fullmatch(finding.kind)):
        raise _Wrong("kind", finding.kind, "不是事件类型 · not an event kind", "小写英文，如 forest_fire、garbage、other · lower case, as forest_fire, garbage, other")
    for name in ("class_name", "algorithm", "model_version", "model_hash"):
        _text(name, getattr(finding, name), 0, 200)
    _number("score", finding.score, 0.0, 1.0)
    _number("accuracy_m", finding.accuracy_m, 0.01, 100_000.0)
    _moment(finding.recorded_at, now)
    _place(finding.place)
    if (finding.bearing_deg is None) != (finding.bearing_sigma_deg is None):
        raise _Wrong("bearing_sigma_deg", finding.bearing_sigma_deg, "方位与其误差须同时给出 · a bearing comes with its sigma", "give both or neither")
    if finding.bearing_deg is not None:
        _number("bearing_deg", finding.bearing_deg, 0.0, 360.0)
        _number("bearing_sigma_deg", finding.bearing_sigma_deg, 0.001, 90.0)
    if finding.camera_id is not None and not 1 <= finding.camera_id < 2**63:
        raise _Wrong("camera_id", finding.camera_id, "不存在 · does not exist", "先登记摄像机 · register the camera first")
    for sha256 in finding.evidence:
        if not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
            raise _Wrong("evidence", sha256, "不是 SHA-256 · not a SHA-256", "先 POST /api/evidence，用它返回的 sha256 · upload first and use its sha256")
    for box in finding.boxes:
        _box(box)
    _plain("properties", finding.properties)
    footprint = _footprint(finding.footprint)
    return finding if footprint is finding.footprint else replace(finding, footprint=footprint)


def _text(field: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, str) or not least <= len(value) <= most or not value.isprintable():
        raise _Wrong(field, value, f"须为 {least}–{most} 个可见字符 · must be {least} to {most} printable characters", "correct this text")


def _number(field: str, value: object, least: float, most: float) -> None:
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or not least <= value <= most:
        raise _Wrong(field, value, f"须为 {least:g}–{most:g} 的有限数 · must be a finite number from {least:g} to {most:g}", "correct this number")


def _moment(value: object, now: datetime) -> None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _Wrong("recorded_at", value, "时间没有时区 · the time names no zone", "如 2026-11-22T08:00:00+08:00 · give an offset")
    if value > now + FUTURE:
        raise _Wrong("recorded_at", value.isoformat(), f"时间在未来，服务器时间 {now.isoformat(timespec='seconds')} · lies in the future", "校准设备时钟 · set the sensor's clock")
    if value < FIRST:
        raise _Wrong("recorded_at", value.isoformat(), "早于 1970 年 · before 1970", "set the sensor's clock")


def _place(point: object) -> None:
    if not isinstance(point, shapely.Point) or point.is_empty:
        raise _Wrong("place", point, "不是一个点 · not a point", "give lon and lat in degrees")
    lon, lat = point.x, point.y
    shown = f"{lon:.10g}, {lat:.10g}"
    if not (np.isfinite(lon) and np.isfinite(lat)):
        raise _Wrong("place", shown, "坐标含 NaN 或无穷大 · NaN or infinity", "give lon and lat in degrees")
    west, south, east, north = QINGDAO
    inside = west <= lon <= east and south <= lat <= north
    if not inside and west <= lat <= east and south <= lon <= north:
        raise _Wrong("place", shown, "经纬度颠倒了 · longitude and latitude are swapped", f"经度在前：{lat:.10g}, {lon:.10g} · longitude first")
    if abs(lon) > 180.0 or abs(lat) > 90.0:
        raise _Wrong("place", shown, "超出 ±180/±90 · outside ±180/±90", "坐标须为 EPSG:4326 度，经度在前 · degrees of EPSG:4326, longitude first")


def _footprint(shape: shapely.Geometry | None) -> shapely.Geometry | None:
    if shape is None:
        return None
    if shapely.get_num_coordinates(shape) > MOST_VERTICES:
        raise _Wrong("footprint", f"{shapely.get_num_coordinates(shape)} vertices", "顶点过多 · too many vertices", f"simplify to at most {MOST_VERTICES}")
    try:
        cleaned = geometry.clean(shape)
    except InvalidInput as error:
        raise _Wrong("footprint", shape.geom_type, error.detail, error.remedy) from error
    if cleaned is None:
        raise _Wrong("footprint", shape.geom_type, "为空或退化 · empty or collapsed", "omit it, or give a polygon with an area")
    return cleaned


def _sensed(finding: Finding) -> None:
    """Refuses a kind that no sensor says."""
    if finding.kind in ISSUED:
        raise _Wrong("kind", finding.kind, "只由发布机关以 CAP 消息送达 · comes from an authority as a CAP message only", "POST /api/cap")


def _at_place(finding: Finding) -> None:
    """Refuses a footprint that lies elsewhere than its place: regions are judged by the place."""
    away_m = 0.0 if finding.footprint is None else shapely.distance(finding.footprint, finding.place) * DEGREE_M
    if away_m > finding.accuracy_m:
        detail = f"距 place {away_m:.0f} 米，超出 accuracy_m {finding.accuracy_m:g} · lies {away_m:.0f} m from its place, beyond its accuracy"
        raise _Wrong("footprint", finding.footprint.geom_type, detail, "place 须在 footprint 内或旁 · give a place inside or beside it")


def _box(box: object) -> None:
    corners = box.get("box") if isinstance(box, dict) else None
    sound = isinstance(corners, list | tuple) and len(corners) == 4 and all(isinstance(c, int | float) and 0.0 <= c <= 1.0 for c in corners)
    if not sound or corners[0] >= corners[2] or corners[1] >= corners[3]:
        raise _Wrong("boxes", box, "框须为 [x0, y0, x1, y1]，0–1 且 x0<x1、y0<y1 · a box is [x0, y0, x1, y1] as fractions of the frame", "divide pixels by the frame's size")
    _plain("boxes", box)


def _plain(field: str, value: object) -> None:
    """Refuses what JSON in the database cannot hold: NaN, other types, NUL, lone surrogates, too much of it, too deep."""
    if not isinstance(value, dict):
        raise _Wrong(field, value, "须为对象 · must be an object", "give {name: value}")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise _Wrong(field, value, f"不能存为 JSON · cannot be stored as JSON: {error}", f"use finite numbers, texts, lists and objects, at most {MOST_LEVELS} levels") from error
    if size > MOST_PROPERTIES or "\\u0000" in text:
        raise _Wrong(field, text[:60], f"过大（{size} 字节）或含空字符 · too large or holds NUL", f"at most {MOST_PROPERTIES} bytes, no NUL")
    if text.count("{") + text.count("[") > MOST_LEVELS and _deeper(value, MOST_LEVELS):
        raise _Wrong(field, text[:60], "嵌套过深 · nested too deep", f"at most {MOST_LEVELS} levels")


def _deeper(value: object, levels: int) -> bool:
    """Whether objects and lists lie deeper inside one another than that.

    >>> _deeper({"a": [{}]}, 3), _deeper({"a": [{}]}, 2)
    (False, True)
    """
    level = [value]
    for _ in range(levels + 1):
        level = [each for each in level if isinstance(each, dict | list | tuple)]
        if not level:
            return False
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]
    return True


async def _known(cameras: Mapping[int, int], hashes: Mapping[str, int], connection: AsyncConnection, scope: Scope | None) -> None:
    """Refuses cameras or evidence which do not exist, and cameras outside the scope, where there is one; given with the number of a row that names each."""
    if not cameras and not hashes:
        return
    cursor = await connection.execute(
        """
        SELECT 'camera_id', id::text FROM unnest(%(cameras)s::bigint[]) AS id
        WHERE NOT EXISTS (SELECT 1 FROM cameras c WHERE c.id = id.id AND (%(scope)s::text IS NULL OR c.region_code LIKE %(scope)s))
        UNION ALL
        SELECT 'evidence', sha FROM unnest(%(hashes)s::text[]) AS sha WHERE NOT EXISTS (SELECT 1 FROM evidence e WHERE e.sha256 = sha)
        """,
        {"cameras": list(cameras), "hashes": list(hashes), "scope": None if scope is None else scope.like},
    )
    missing = await cursor.fetchall()
    if missing:
        field, value = missing[0]
        row = cameras[int(value)] if field == "camera_id" else hashes[value]
        remedy = "先登记摄像机 · register the camera first" if field == "camera_id" else "先 POST /api/evidence 上传照片 · upload the picture first"
        raise InvalidInput(
            f"第 {row} 条 {field} = {value}：不存在 · does not exist",
            remedy=remedy,
            errors=[{"row": row, "field": field, "value": value, "detail": "不存在 · does not exist", "remedy": remedy}],
        )
