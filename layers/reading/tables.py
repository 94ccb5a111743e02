"""CSV and XLSX with a header: two coordinate columns (named, or found by their usual names) or one of WKT. GB 18030 is understood.

A table is read twice: once to learn what every column holds, once to give its rows, so that it never lies in memory as a whole.
"""

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from grid import bundles
from grid.errors import InvalidInput, TooLarge
from layers import archives
from layers.reading.batches import BYTES, ROWS, Batch, Counter, Header, Opened, Options, objects, parse, size_of

_ENCODINGS = frozenset({"utf-8", "utf-8-sig", "gb2312", "gbk", "gb18030", "big5", "hkscs", "utf-16", "ascii", "iso8859-1", "cp1252"})
_X_NAMES = ("lon", "lng", "longitude", "long", "经度", "x", "东坐标", "easting", "横坐标")
_Y_NAMES = ("lat", "latitude", "纬度", "y", "北坐标", "northing", "纵坐标")
_ADDRESS_NAMES = ("地址", "address", "住址", "位置", "详细地址", "门牌地址", "addr")
_WKT_NAMES = ("wkt", "geom", "geometry", "the_geom", "几何", "空间")
_WHOLE = r"^-?(0|[1-9][0-9]{0,14})$"
_REAL = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$"

Lines = Iterator[tuple[list[str], float]]


def open_csv(path: Path, options: Options) -> Opened:
    """A delimited text; comma, semicolon, tab or bar, whichever its first line has most of."""
    return Opened(Header("CSV", implied=options.resolved is not None), _rows(_csv_lines(path, options), options))


def _csv_lines(path: Path, options: Options) -> Callable[[], Lines]:
    encoding = _encoding_of(path, options.encoding)

    def lines() -> Lines:
        csv.field_size_limit(64 * 1024**2)
        size = size_of(path)
        with path.open("rb") as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
            head = text.readline()
            delimiter = max(",;\t|", key=head.count)
            text.seek(0)
            try:
                for line in csv.reader(text, "excel", delimiter=delimiter, strict=False):
                    if line:
                        yield line, raw.tell() / size
            except csv.Error as damage:
                raise InvalidInput(f"CSV 无法解析 · unreadable CSV: {damage}", remedy="检查引号与分隔符 · check quotes and delimiters") from damage

    return lines


def open_xlsx(path: Path, options: Options) -> Opened:
    """The first sheet of a workbook, or the one `layer` names; its first row is the header. Formulas give their stored values."""
    return Opened(Header("XLSX", implied=options.resolved is not None), _rows(_xlsx_lines(path, options), options))


def _xlsx_lines(path: Path, options: Options) -> Callable[[], Lines]:
    from python_calamine import CalamineError, load_workbook

    _bounded(path)
    try:
        with load_workbook(str(path)) as book:
            names = [sheet for sheet in book.sheet_names if options.layer in (None, sheet)]
            if not names:
                raise InvalidInput(f"没有工作表 · no sheet {options.layer!r} among: {', '.join(book.sheet_names[:20])}", remedy="用 layer 指明 · name one with layer")
            sheet = book.get_sheet_by_name(names[0])
            rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, ValueError, OSError, KeyError) as damage:
        raise InvalidInput(f"XLSX 无法读取 · the XLSX cannot be read: {str(damage)[:120]}", remedy="重新导出 · export it again") from damage

    def lines() -> Lines:
        width = 0
        for number, cells in enumerate(rows, 1):
            line = [_cell(value) for value in cells]
            width = width or max((i + 1 for i, text in enumerate(line) if text), default=0)
            if any(line):
                yield line[: max(width, 1)] if not any(line[width:]) else line, number / len(rows)

    return lines


def header(kind: str, path: Path, options: Options) -> list[str]:
    """The names of a table's columns."""
    return _header(_lines_of(kind, path, options))


def address_column(header: list[str], options: Options) -> str | None:
    """The column that holds addresses, if that is how rows are to be placed: declared, or by its usual name where there are neither coordinates nor WKT.

    >>> address_column(["名称", "地址"], Options()), address_column(["地址", "lon", "lat"], Options()), address_column(["where"], Options(address="where"))
    ('地址', None, 'where')
    """
    if options.address is not None:
        if options.address not in header:
            raise InvalidInput(f"没有地址列 {options.address[:60]!r} · no such column of addresses among: {', '.join(header[:30])}", remedy="检查列名 · check its name")
        return options.address
    placed = _column(header, None, _WKT_NAMES) is not None or (_column(header, options.x, _X_NAMES) is not None and _column(header, options.y, _Y_NAMES) is not None)
    at = None if placed else _column(header, None, _ADDRESS_NAMES)
    return None if at is None else header[at]


def column_texts(kind: str, path: Path, options: Options) -> Iterator[list[str]]:
    """The cells of the column that `options.address` names, in blocks as rows come."""
    lines = _lines_of(kind, path, options)
    at = _header(lines).index(options.address)
    for block, _ in _blocks(lines):
        yield [line[at] if at < len(line) else "" for line in block]


def _lines_of(kind: str, path: Path, options: Options) -> Callable[[], Lines]:
    return _csv_lines(path, options) if kind == "CSV" else _xlsx_lines(path, options)


def _bounded(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as bundle:
            total = sum(archives.measured(bundle, info) for info in archives.members(bundle))
    except bundles.DAMAGE as damage:
        raise InvalidInput(f"XLSX 损坏 · the XLSX is damaged: {damage}", remedy="重新导出 · export it again") from damage
    if total > bundles.MAX_UNPACKED_BYTES // 2:
        raise TooLarge(f"解压后 {total:,} 字节 · {total:,} bytes unpacked", remedy="另存为 CSV · save it as CSV")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "" if value is None else str(value).strip() if not isinstance(value, bool) else str(value).lower()


def _header(lines: Callable[[], Lines]) -> list[str]:
    header = [name.strip() for name in next(lines(), ([], 0.0))[0]]
    if len(header) != len(set(header)) or not all(header):
        raise InvalidInput(f"表头列名为空或重复 · empty or repeated column names: {header[:20]}", remedy="修正表头 · mend the header")
    return header


def _rows(lines: Callable[[], Lines], options: Options) -> Iterator[Batch]:
    header = _header(lines)
    if options.resolved is not None:
        yield from _geocoded(lines, header, options.resolved)
        return
    wkt = None if options.x or options.y else _column(header, None, _WKT_NAMES)
    x, y = (wkt, wkt) if wkt is not None else (_column(header, options.x, _X_NAMES), _column(header, options.y, _Y_NAMES))
    if x is None or y is None:
        raise InvalidInput(
            f"找不到坐标列 · no coordinate columns among: {', '.join(header[:30])}",
            remedy="用 x、y 指明经纬度列，或提供 WKT 列，或用 address 指明地址列 · name them with x and y, give a WKT column, or name the column of addresses with address",
        )
    kept = [i for i in range(len(header)) if i not in (x, y)]
    kinds = _kinds(lines, kept, len(header))
    for block, done in _blocks(lines):
        faults: dict[int, str] = {}
        columns = _square(block, len(header), faults)
        if wkt is not None:
            cells = [re.sub(r"^SRID=\d+;", "", cell.strip(), flags=re.IGNORECASE) or None for cell in columns[wkt]]
            wrong: dict[int, str] = {}
            shapes = parse(cells, shapely.from_wkt, "", wrong)
            for i in wrong:
                faults.setdefault(i, f"WKT 无法解析 · unreadable WKT: {cells[i][:60]!r}")
        else:
            shapes = _points(columns[x], columns[y], faults)
        table = pa.RecordBatch.from_arrays([_as(columns[i], kinds[i]) for i in kept], names=[header[i] for i in kept])
        if not kept:
            yield Batch(shapes, [{} for _ in block], faults=faults, done=done)
        else:
            yield Batch(shapes, columns=table, faults=faults, done=done)


def _geocoded(lines: Callable[[], Lines], header: list[str], resolved: str) -> Iterator[Batch]:
    """Rows placed by their addresses, with what the geocoder says of each."""
    from layers.reading.addresses import ADDED, Found

    taken = [name for name in header if name in ADDED]
    if taken:
        raise InvalidInput(f"列名 {', '.join(taken)} 为地址匹配结果保留 · these columns are reserved for the geocoder", remedy="改列名 · rename them")
    found, kept = Found(Path(resolved)), list(range(len(header)))
    kinds = _kinds(lines, kept, len(header))
    for block, done in _blocks(lines):
        faults: dict[int, str] = {}
        columns = _square(block, len(header), faults)
        shapes, added = found.take(len(block), faults)
        arrays = [_as(columns[i], kinds[i]) for i in kept] + [added[name].combine_chunks() for name in ADDED]
        yield Batch(shapes, columns=pa.RecordBatch.from_arrays(arrays, names=[*header, *ADDED]), faults=faults, done=done)


def _blocks(lines: Callable[[], Lines]) -> Iterator[tuple[list[list[str]], float]]:
    counter, block, weight, done = Counter(), [], 0, 0.0
    stream = lines()
    next(stream, None)
    for line, done in stream:
        block.append(line)
        weight += sum(map(len, line))
        if len(block) >= ROWS or weight >= BYTES:
            counter.add(len(block))
            yield block, min(done, 1.0)
            block, weight = [], 0
    if block:
        counter.add(len(block))
        yield block, 1.0


def _square(block: list[list[str]], width: int, faults: dict[int, str]) -> list[tuple[str, ...]]:
    """Columns of the block; rows of another width are faults, cut or filled."""
    for i, line in enumerate(block):
        if len(line) != width:
            faults[i] = f"有 {len(line)} 列，应为 {width} 列 · {len(line)} columns instead of {width}"
            block[i] = (line + [""] * width)[:width]
    return list(zip(*block, strict=True))


def _kinds(lines: Callable[[], Lines], kept: list[int], width: int) -> dict[int, pa.DataType]:
    """Whole numbers, numbers or text, by every cell of a column; codes with leading zeros stay text."""
    whole, real, filled = set(kept), set(kept), set()
    for block, _ in _blocks(lines):
        if not real and len(filled) == len(kept):
            break
        columns = _square(block, width, {})
        for i in kept:
            if i not in real and i in filled:
                continue
            cells = pc.utf8_trim_whitespace(pa.array(columns[i], pa.string()))
            cells = cells.filter(pc.not_equal(cells, ""))
            if len(cells):
                filled.add(i)
            if i in whole and not pc.all(pc.match_substring_regex(cells, _WHOLE), min_count=0).as_py():
                whole.discard(i)
            if i in real and i not in whole and not pc.all(pc.match_substring_regex(cells, _REAL), min_count=0).as_py():
                real.discard(i)
    return {i: pa.string() if i not in filled or i not in real else pa.int64() if i in whole else pa.float64() for i in kept}


def _as(cells: tuple[str, ...], kind: pa.DataType) -> pa.Array:
    texts = pc.utf8_trim_whitespace(pa.array(cells, pa.string()))
    return pc.if_else(pc.equal(texts, ""), None, texts).cast(kind)


def _points(xs: tuple[str, ...], ys: tuple[str, ...], faults: dict[int, str]) -> np.ndarray:
    try:
        x, y = np.array(list(map(float, xs))), np.array(list(map(float, ys)))
        return objects(list(shapely.points(x, y)))
    except ValueError:
        shapes = np.full(len(xs), None, dtype=object)
        for i, (a, b) in enumerate(zip(xs, ys, strict=True)):
            try:
                shapes[i] = shapely.Point(float(a), float(b))
            except ValueError:
                faults.setdefault(i, f"坐标不是数字 · coordinates are not numbers: {a[:30]!r}, {b[:30]!r}")
        return shapes


def text_encoding(name: str) -> str:
    """The codec of a declared encoding; raises InvalidInput for what is none of the texts people export here.

    >>> text_encoding("GBK"), text_encoding("utf8")
    ('gbk', 'utf-8')
    """
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        found = ""
    if found not in _ENCODINGS:
        raise InvalidInput(f"未知编码 · unknown encoding: {name[:40]!r}", remedy="UTF-8、GBK、GB18030、Big5 · declare UTF-8, GBK, GB18030 or Big5")
    return found


def _encoding_of(path: Path, declared: str | None) -> str:
    tried = [declared] if declared else ["utf-8-sig", "gb18030"]
    for name in tried:
        decoder = codecs.getincrementaldecoder(name)()
        try:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeError:
            continue
        return name
    raise InvalidInput(f"不是 {' / '.join(tried)} 文本 · not text in {' or '.join(tried)}", remedy="声明 encoding · declare its encoding")


def _column(header: list[str], given: str | None, usual: tuple[str, ...]) -> int | None:
    if given is not None:
        return header.index(given) if given in header else None
    lowered = [name.lower() for name in header]
    return next((lowered.index(name) for name in usual if name in lowered), None)
