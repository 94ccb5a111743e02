"""Zip archives from strangers: one dataset is taken out under names of our own, with limits on the bytes that really come out."""

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grid.errors import InvalidInput, TooLarge, UnsupportedMedia

MAX_MEMBERS = 1000
MAX_UNPACKED_BYTES = 2 * 1024**3
MAX_RATIO = 200
_RATIO_FROM_BYTES = 8 * 1024**2
_CHUNK = 1024**2
PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
SHP_MAGIC = b"\x00\x00\x27\x0a"
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError)
_GDB_FILE = re.compile(r"(a[0-9a-f]{8}\.(gdbtable|gdbtablx|gdbindexes|freelist|spx|[a-z0-9_]{1,40}\.atx|atx|horizon)|gdb|timestamps)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes that may come out of an archive, and how many times the archive's own size that may be."""

    unpacked_bytes: int = MAX_UNPACKED_BYTES
    ratio: int = MAX_RATIO


def holds(archive: Path) -> str:
    """What a zip holds: Shapefile, File Geodatabase, KMZ, XLSX, or nothing we read (empty). Raises InvalidInput (damaged, names that leave it)."""
    with _opened(archive) as bundle:
        names = [PurePosixPath(info.filename.replace("\\", "/")) for info in members(bundle)]
    suffixes = {name.suffix.lower() for name in names}
    if any(name.as_posix() == "xl/workbook.xml" for name in names):
        return "XLSX"
    if any(part.lower().endswith(".gdb") for name in names for part in name.parts[:-1]):
        return "File Geodatabase"
    return "Shapefile" if ".shp" in suffixes else "KMZ" if ".kml" in suffixes else ""


def unpack_shapefile(archive: Path, into: Path, limits: Limits = Limits()) -> Path:
    """The one shapefile of a zip, written to `into` as layer.shp, layer.dbf …; the path of layer.shp.

    Raises UnsupportedMedia (no zip, no shapefile in it), InvalidInput (damaged, encrypted, names that leave the folder, parts missing,
    several shapefiles), TooLarge (members, bytes or ratio; counted while unpacking, whatever the headers claim).
    """
    with _opened(archive) as bundle:
        _unpack(bundle, {into / f"layer{suffix}": member for suffix, member in _shapefile(bundle).items()}, limits)
    with (into / "layer.shp").open("rb") as shp:
        if shp.read(4) != SHP_MAGIC:
            raise UnsupportedMedia(".shp 文件内容不是 Shapefile · the .shp in the zip is not a shapefile", remedy="检查文件 · check the file")
    return into / "layer.shp"


def unpack_geodatabase(archive: Path, into: Path, limits: Limits = Limits()) -> Path:
    """The one File Geodatabase of a zip, written to `into`/layer.gdb under the names its format prescribes; raises as `unpack_shapefile` does."""
    target = into / "layer.gdb"
    with _opened(archive) as bundle:
        found: dict[str, dict[Path, zipfile.ZipInfo]] = {}
        for info in members(bundle):
            path = PurePosixPath(info.filename.replace("\\", "/"))
            if path.parent.suffix.lower() == ".gdb" and _GDB_FILE.fullmatch(path.name):
                found.setdefault(str(path.parent), {})[target / path.name] = info
        if len(found) != 1:
            raise InvalidInput(f"压缩包含 {len(found)} 个地理数据库 · the zip holds {len(found)} geodatabases", remedy="每个 .gdb 单独打包 · pack each .gdb on its own")
        target.mkdir()
        _unpack(bundle, next(iter(found.values())), limits)
    return target


def unpack_kml(archive: Path, into: Path, limits: Limits = Limits()) -> Path:
    """The KML of a KMZ (doc.kml, or the only one) as `into`/doc.kml; raises as `unpack_shapefile` does."""
    with _opened(archive) as bundle:
        found = [info for info in members(bundle) if info.filename.lower().endswith(".kml")]
        chosen = [info for info in found if PurePosixPath(info.filename).name.lower() == "doc.kml"] or found
        if len(chosen) != 1:
            raise InvalidInput(f"KMZ 含 {len(found)} 个 KML · the KMZ holds {len(found)} KML documents", remedy="保留一个 doc.kml · keep one doc.kml")
        _unpack(bundle, {into / "doc.kml": chosen[0]}, limits)
    return into / "doc.kml"


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as bundle:
            yield bundle
    except DAMAGE as damage:
        raise InvalidInput(f"压缩包损坏或被截断 · the zip is damaged or cut off: {damage}", remedy="重新打包上传 · pack and send it again") from damage


def members(bundle: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Its files. Raises TooLarge for too many and InvalidInput for paths that leave it, links and encryption."""
    infos = [info for info in bundle.infolist() if not info.is_dir()]
    if len(infos) > MAX_MEMBERS:
        raise TooLarge(f"压缩包含 {len(infos)} 个文件 · the zip holds {len(infos)} files", remedy=f"至多 {MAX_MEMBERS} 个 · at most {MAX_MEMBERS}")
    for info in infos:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or stat.S_ISLNK(info.external_attr >> 16):
            raise InvalidInput(
                f"压缩包含越界路径或链接 · the zip holds a path that leaves it, or a link: {info.filename!r}",
                remedy="只打包数据本身 · pack the data's own files only",
            )
        if info.flag_bits & 1:
            raise InvalidInput("压缩包已加密 · the zip is encrypted", remedy="去掉密码后上传 · pack it without a password")
    return infos


def measured(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits = Limits()) -> int:
    """Bytes that really come out of a member; raises TooLarge as unpacking would."""
    return _write(bundle, member, None, limits.unpacked_bytes, limits)


def _shapefile(bundle: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    wanted = [i for i in members(bundle) if PurePosixPath(i.filename).suffix.lower() in PARTS and not i.filename.startswith("__MACOSX/")]
    shapes = [i for i in wanted if i.filename.lower().endswith(".shp")]
    if not shapes:
        raise UnsupportedMedia("压缩包中没有 .shp · the zip holds no .shp", remedy="打包 .shp .shx .dbf .prj · pack .shp .shx .dbf .prj")
    if len(shapes) > 1:
        names = ", ".join(sorted(i.filename for i in shapes))
        raise InvalidInput(f"压缩包含多个图层 · the zip holds several layers: {names}", remedy="每个图层单独打包 · pack each layer on its own")
    stem = str(PurePosixPath(shapes[0].filename).with_suffix(""))
    found = {s: i for i in wanted if (s := PurePosixPath(i.filename).suffix.lower()) and str(PurePosixPath(i.filename).with_suffix("")) == stem}
    missing = [part for part in (".shx", ".dbf") if part not in found]
    if missing:
        raise InvalidInput(f"Shapefile 不完整 · parts of the shapefile are missing: {', '.join(missing)}", remedy="补齐后重新打包 · add them and pack again")
    return found


def _unpack(bundle: zipfile.ZipFile, wanted: dict[Path, zipfile.ZipInfo], limits: Limits) -> None:
    budget = limits.unpacked_bytes
    for target, member in wanted.items():
        budget -= _write(bundle, member, target, budget, limits)


def _write(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path | None, budget: int, limits: Limits) -> int:
    written = 0
    with bundle.open(member) as source, target.open("wb") if target else open(os.devnull, "wb") as sink:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > budget or (written > _RATIO_FROM_BYTES and written > limits.ratio * max(member.compress_size, 1)):
                raise TooLarge(
                    f"解压后过大 · unpacks to too much: {member.filename!r} after {written:,} bytes",
                    remedy=f"解压后至多 {limits.unpacked_bytes:,} 字节 · at most {limits.unpacked_bytes:,} bytes unpacked",
                )
            sink.write(chunk)
    return written
