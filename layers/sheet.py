"""A map sheet: a filtered layer on one printable page with its frame, legend, scale, terms and watermark, typeset by typst.

The picture is drawn by layers.sheet_map, the words go to the template (sheet.typ) as JSON and are shown as they are. At most DRAWN_MAX features are drawn; where
there are more, the sheet says so in words.
"""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import numpy as np
import shapely
from psycopg import AsyncConnection, sql

from grid import crs
from grid.clock import ZONE
from grid.database import Scope, row
from grid.errors import Unavailable
from layers import features, sheet_base, sheet_frame, sheet_map
from layers.catalog import Catalog
from layers.colours import Painter
from layers.features import Ask, Collection
from layers.frames import CRS84
from layers.paint import LegendEntry
from layers.sheet_base import Subject
from layers.sheet_frame import Window

PAPERS = {"A4": (297.0, 210.0), "A3": (420.0, 297.0)}
"""Paper -> width and height in mm, landscape."""
DRAWN_MAX = 20_000
BATCH = 2_000
LEGEND_MAX = 24
FONT_PACKAGE, FONT = "cvttf_NotoSansCJK_Regular", "Noto Sans CJK TC"
"""The package that carries the font of the sheets, and its family: one font file for all of Han, which draws simplified forms for text marked zh-CN."""
SENSITIVITY = {"public": "公开 PUBLIC", "internal": "内部使用 INTERNAL", "restricted": "限制使用 RESTRICTED"}
_LEFT, _TOP, _SIDE = 14.0, 29.0, 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """What sheet is wanted, for whom and why. `frame` as layers.exports.FRAMES; `title` empty: the layer's own."""

    ask: Ask
    frame: str
    paper: str
    title: str
    filter: str
    reason: str
    number: UUID
    username: str


def font_folder() -> Path:
    """The folder of the sheets' font. Raises Unavailable when its package is not installed."""
    found = find_spec(FONT_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise Unavailable("没有图纸字体 · the font of map sheets is absent", remedy="uv pip install cvttf-notosanscjk-regular")
    return Path(found.submodule_search_locations[0])


async def make(connection: AsyncConnection, catalog: Catalog, scope: Scope, of: Collection, order: Order, path: Path) -> int:
    """Writes the sheet to a path and returns how many features fulfil the question (not: are drawn). Runs in the caller's transaction; raises Unavailable without its font."""
    width, height = PAPERS[order.paper]
    inner = (width - 2 * _LEFT + 5 - _SIDE - 4, height - _TOP - 17)
    subject = await sheet_base.subject(connection, catalog, scope, of)
    count, box, simulated = await _summary(connection, of, scope, order.ask)
    asked = None if order.ask.area is None else order.ask.area.bounds
    window = sheet_frame.fit(asked or box or of.extent, order.frame, *inner)
    drawing = sheet_map.Drawing(Painter(subject.deck, subject.color), subject.legend, sheet_map.Pens(*(_fine if count > 2_000 else _bold)))
    stride = -(-count // DRAWN_MAX)
    await _draw(connection, of, scope, order.ask, window, drawing, stride)
    base = await sheet_base.base(connection, catalog, scope, window, public=subject.public)
    area = "" if asked is None else sheet_map.path(window.paper(np.array([shapely.box(*asked)], dtype=object)), None, "#B42318", 0.25, 'stroke-dasharray="2 1.4"')
    picture = sheet_map.picture(*inner, base.ground, base.below, drawing.svg(), base.above, _lines(window), area)
    said = _words(order, replace(subject, simulated=subject.simulated or simulated), window, count, drawing, stride, base.names)
    await asyncio.to_thread(typeset, said, picture, path)
    return count


_bold, _fine = (0.2, 0.26), (0.12, 0.15)


async def _summary(connection: AsyncConnection, of: Collection, scope: Scope, ask: Ask) -> tuple[int, tuple[float, ...] | None, bool]:
    rows, parameters = features.asked(of, scope, ask)
    marked = sql.SQL("coalesce(bool_or(simulated), false)") if any(column.name == "simulated" for column in of.columns) else sql.SQL("false")
    query = sql.SQL("SELECT n, ST_XMin(b) AS w, ST_YMin(b) AS s, ST_XMax(b) AS e, ST_YMax(b) AS n_, simulated FROM (SELECT count(*) AS n, ST_Extent({}) AS b, {} AS simulated{}) AS summary")
    await connection.execute("SET LOCAL statement_timeout = '10min'")
    found = await row(connection, query.format(of.shape.sql, marked, rows), parameters)
    if found["w"] is None:
        return found["n"], None, False
    corners = shapely.box(found["w"], found["s"], found["e"], found["n_"])
    return found["n"], (crs.to_storage(corners, 3857) if of.shape.srid == 3857 else corners).bounds, found["simulated"]


async def _draw(connection: AsyncConnection, of: Collection, scope: Scope, ask: Ask, window: Window, drawing: sheet_map.Drawing, stride: int) -> None:
    """Every feature, or one of `stride` by the hash of its id: evenly from everywhere."""
    rows, parameters = features.asked(of, scope, ask)
    shape = CRS84.expression(of.shape.sql, of.shape.srid)
    thin = sql.SQL(" WHERE (hashint8(id::bigint) & 2147483647) %% {} = 0").format(sql.Literal(stride)) if stride > 1 else sql.SQL("")
    columns = sql.SQL(", ").join([sql.SQL("ST_AsBinary({})").format(shape), *(column.sql for column in of.columns)])
    names = [column.name for column in of.columns]
    async with connection.cursor(name="sheet_rows", binary=False) as cursor:
        await cursor.execute(sql.SQL("SELECT {} FROM (SELECT *{}) AS kept{}").format(columns, rows, thin), parameters)
        while found := await cursor.fetchmany(BATCH):
            await asyncio.to_thread(_add, drawing, window, found, names)


def _add(drawing: sheet_map.Drawing, window: Window, found: Sequence[tuple], names: list[str]) -> None:
    shapes = np.asarray(shapely.from_wkb([one[0] for one in found]), dtype=object)
    drawing.add(window.paper(shapes), [dict(zip(names, one[1:], strict=True)) for one in found])


def _lines(window: Window) -> str:
    along_x, along_y = window.ticks()
    d = "".join(f"M{tick.at:.2f} 0V{window.height:.2f}" for tick in along_x) + "".join(f"M0 {tick.at:.2f}H{window.width:.2f}" for tick in along_y)
    return f'<path d="{d}" fill="none" stroke="#4A6B9A" stroke-opacity="0.45" stroke-width="0.12"/>' if d else ""


def _swatch(entry: LegendEntry) -> str:
    color = entry.color
    inner = {
        "line": f'<path d="M0.3 1.7H5.7" stroke="{color}" stroke-width="0.6"/>',
        "dash": f'<path d="M0.3 1.7H5.7" stroke="{color}" stroke-width="0.5" stroke-dasharray="1.2 0.7"/>',
        "outline": f'<rect x="0.6" y="0.4" width="4.8" height="2.6" fill="none" stroke="{color}" stroke-width="0.4"/>',
        "ring": f'<circle cx="3" cy="1.7" r="1" fill="none" stroke="{color}" stroke-width="0.5"/>',
        "fill": f'<rect x="0.6" y="0.4" width="4.8" height="2.6" fill="{color}" fill-opacity="0.75" stroke="{color}" stroke-width="0.2"/>',
    }.get(entry.shape) or f'<path d="M3 1.7{sheet_map.mark(entry.shape, 1.0)}" fill="{color}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 6 3.4" width="6" height="3.4">{inner}</svg>'


def _legend(subject: Subject, drawing: sheet_map.Drawing, whole: bool) -> tuple[list[dict], str | None]:
    lines = []
    for entry in subject.legend[:LEGEND_MAX]:
        label = entry.label if entry.label == entry.label_en else f"{entry.label} {entry.label_en}"
        count = drawing.hits[entry.color.upper()] if whole and len(subject.legend) > 1 else None
        lines.append({"label": _short(label, 46), "svg": _swatch(entry), "count": None if count is None else f"{count:,}"})
    more = len(subject.legend) - LEGEND_MAX
    return lines, f"另有 {more} 类未列 · {more} more classes" if more > 0 else None


def _words(order: Order, subject: Subject, window: Window, count: int, drawing: sheet_map.Drawing, stride: int, names: list[dict]) -> dict:
    printed = datetime.now(ZONE)
    legend, more = _legend(subject, drawing, stride <= 1)
    part, metres = window.bar()
    unit, whole = ("公里", metres / 1000) if metres >= 1000 else ("米", metres)
    along_x, along_y = window.ticks()
    zh, en = sheet_frame.NAMES[order.frame]
    title = order.title or subject.title
    facts = [
        ("坐标系", f"{zh}"), ("CRS", en), ("数据时间", subject.vintage or "未注明 not stated"), ("版本", subject.version or "未注明 not stated"), ("来源", subject.owner or "未注明 not stated"),
        ("许可", subject.licence or "未注明 not stated"), ("密级", SENSITIVITY[subject.sensitivity]), ("要素", f"{count:,}" + (f"（绘出 {drawing.drawn:,} drawn）" if drawing.drawn != count else "")),
        *([("筛选", _short(order.filter, 130))] if order.filter else []), ("用途", _short(order.reason, 80)), ("打印时间", f"{printed:%Y-%m-%d %H:%M}（北京时间 UTC+8）"),
        ("制图人", order.username), ("导出编号", str(order.number)),
    ]  # fmt: skip
    width, height = PAPERS[order.paper]
    return {
        "fonts": [FONT], "title": title, "title_en": _short(subject.title_en if not order.title else f"{subject.title} {subject.title_en}", 90), "author": order.username,
        "number": str(order.number), "number_short": f"编号 No. {str(order.number)[:8]}", "crs": {"code": order.frame}, "sensitivity": SENSITIVITY[subject.sensitivity], "simulated": subject.simulated,
        "paper": {"width": width, "height": height}, "map": {"x": _LEFT, "y": _TOP, "width": window.width, "height": window.height},
        "side": {"x": _LEFT + window.width + 9, "width": width - _LEFT - window.width - 9 - 9}, "names": names,
        "ticks_x": [asdict(tick) for tick in along_x if 8 < tick.at < window.width - 8], "ticks_y": [asdict(tick) for tick in along_y if 8 < tick.at < window.height - 8],
        "scale": f"1 : {window.scale:,}", "bar": {"part": part, "labels": ["0", f"{whole / 2:g}", f"{whole:g} {unit}"]},
        "legend": legend, "legend_more": more, "legend_columns": 2 if len(legend) > 9 else 1,
        "notes": _notes(count, drawing.drawn, stride, window), "facts": [{"name": name, "value": value} for name, value in facts],
        "watermark": {"text": f"海东青 {order.username} · {str(order.number)[:8]}", "xs": list(range(4, int(window.width), 62)), "ys": list(range(20, int(window.height), 34))},
        "footer": f"海东青 Haidongqing · {subject.layer} · {order.frame} · {order.username} · {order.number}",
    }  # fmt: skip


def _notes(count: int, drawn: int, stride: int, window: Window) -> list[str]:
    found = []
    if count == 0:
        found.append("没有要素符合条件。No feature fulfils the question.")
    if stride > 1:
        found.append(f"本图未绘出全部要素：{count:,} 个中均匀抽取 {drawn:,} 个。Not all features are drawn: {drawn:,} of {count:,}, taken evenly; narrow the filter or the area to see all.")
    if window.frame == "EPSG:3857":
        found.append("比例尺只在图幅中央成立。The scale holds at the middle of the sheet only.")
    if window.frame == "GCJ-02":
        found.append("坐标经 GCJ-02 偏移，仅供公开展示。Coordinates are shifted (GCJ-02): for public display only.")
    return found


def _short(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


@cache
def _template() -> bytes:
    return (Path(__file__).parent / "sheet.typ").read_bytes()


def typeset(said: dict, picture: str, path: Path, kind: str = "pdf") -> None:
    """Writes a sheet of these words and this picture; `kind` pdf or png. Typst sees an empty folder and the font: the template can read nothing else."""
    import typst  # when a sheet is made: not at every start

    with tempfile.TemporaryDirectory(prefix="hdq-sheet-") as empty:
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(font_folder())])
        compiler = typst.Compiler(_template(), root=empty, font_paths=fonts, sys_inputs={"sheet": json.dumps(said, ensure_ascii=False), "picture": picture})
        made = compiler.compile(format=kind, ppi=150.0 if kind == "png" else None)
    path.write_bytes(made[0] if isinstance(made, list) else made)
