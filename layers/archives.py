"""Zip archives from strangers: one dataset is taken out under names of our own, with limits on the bytes that really come out."""

import os
import re
import zipfile
from pathlib import Path, PurePosixPath

from grid.bundles import Limits, members, opened_zip, pour
from grid.errors import InvalidInput, UnsupportedMedia

PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
SHP_MAGIC = b"\x00\x00\x27\x0a"
_GDB_FILE = re.compile(r"(a[0-9a-f]{8}\.(gdbtable|gdbtablx|gdbindexes|freelist|spx|[a-z0-9_]{1,40}\.atx|atx|horizon)|gdb|timestamps)", re.IGNORECASE)


def holds(archive: Path) -> str:
    """What a zip holds: Shapefile, File Geodatabase, KMZ, XLSX, or nothing we read (empty). Raises InvalidInput (damaged, names that leave it)."""
    with opened_zip(archive) as bundle:
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
    with opened_zip(archive) as bundle:
        _unpack(bundle, {into / f"layer{suffix}": member for suffix, member in _shapefile(bundle).items()}, limits)
    with (into / "layer.shp").open("rb") as shp:
        if shp.read(4) != SHP_MAGIC:
            raise UnsupportedMedia(".shp 文件内容不是 Shapefile · the .shp in the zip is not a shapefile", remedy="检查文件 · check the file")
    return into / "layer.shp"


def unpack_geodatabase(archive: Path, into: Path, limits: Limits = Limits()) -> Path:
    """The one File Geodatabase of a zip, written to `into`/layer.gdb under the names its format prescribes; raises as `unpack_shapefile` does."""
    target = into / "layer.gdb"
    with opened_zip(archive) as bundle:
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
    with opened_zip(archive) as bundle:
        found = [info for info in members(bundle) if info.filename.lower().endswith(".kml")]
        chosen = [info for info in found if PurePosixPath(info.filename).name.lower() == "doc.kml"] or found
        if len(chosen) != 1:
            raise InvalidInput(f"KMZ 含 {len(found)} 个 KML · the KMZ holds {len(found)} KML documents", remedy="保留一个 doc.kml · keep one doc.kml")
        _unpack(bundle, {into / "doc.kml": chosen[0]}, limits)
    return into / "doc.kml"


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
    with bundle.open(member) as source, target.open("wb") if target else open(os.devnull, "wb") as sink:
        return pour(source, sink, member.filename, member.compress_size, budget, limits)
