"""Zip archives from strangers: one shapefile is taken out under names of our own, with limits on the bytes that really come out."""

import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grid.errors import InvalidInput, TooLarge, UnsupportedMedia

MAX_MEMBERS = 200
MAX_UNPACKED_BYTES = 1024**3
MAX_RATIO = 200
_RATIO_FROM_BYTES = 8 * 1024**2
_CHUNK = 1024**2
PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
SHP_MAGIC = b"\x00\x00\x27\x0a"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes that may come out of an archive, and how many times the archive's own size that may be."""

    unpacked_bytes: int = MAX_UNPACKED_BYTES
    ratio: int = MAX_RATIO


def unpack_shapefile(archive: Path, into: Path, limits: Limits = Limits()) -> Path:
    """The one shapefile of a zip, written to `into` as layer.shp, layer.dbf …; the path of layer.shp.

    Raises UnsupportedMedia (no zip, no shapefile in it), InvalidInput (damaged, encrypted, names that leave the folder, parts missing,
    several shapefiles), TooLarge (members, bytes or ratio; counted while unpacking, whatever the headers claim).
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = _members(bundle)
            budget = limits.unpacked_bytes
            for suffix, member in members.items():
                budget -= _write(bundle, member, into / f"layer{suffix}", budget, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as damage:
        raise InvalidInput(f"压缩包损坏或被截断 · the zip is damaged or cut off: {damage}", remedy="重新打包上传 · pack and send it again") from damage
    with (into / "layer.shp").open("rb") as shp:
        if shp.read(4) != SHP_MAGIC:
            raise UnsupportedMedia(".shp 文件内容不是 Shapefile · the .shp in the zip is not a shapefile", remedy="检查文件 · check the file")
    return into / "layer.shp"


def _members(bundle: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = [info for info in bundle.infolist() if not info.is_dir()]
    if len(infos) > MAX_MEMBERS:
        raise TooLarge(f"压缩包含 {len(infos)} 个文件 · the zip holds {len(infos)} files", remedy=f"至多 {MAX_MEMBERS} 个 · at most {MAX_MEMBERS}")
    for info in infos:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or stat.S_ISLNK(info.external_attr >> 16):
            raise InvalidInput(
                f"压缩包含越界路径或链接 · the zip holds a path that leaves it, or a link: {info.filename!r}",
                remedy="只打包 Shapefile 本身 · pack the shapefile's own files only",
            )
        if info.flag_bits & 1:
            raise InvalidInput("压缩包已加密 · the zip is encrypted", remedy="去掉密码后上传 · pack it without a password")
    wanted = [i for i in infos if PurePosixPath(i.filename).suffix.lower() in PARTS and not i.filename.startswith("__MACOSX/")]
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


def _write(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, budget: int, limits: Limits) -> int:
    written = 0
    with bundle.open(member) as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > budget or (written > _RATIO_FROM_BYTES and written > limits.ratio * max(member.compress_size, 1)):
                raise TooLarge(
                    f"解压后过大 · unpacks to too much: {member.filename!r} after {written:,} bytes",
                    remedy=f"解压后至多 {limits.unpacked_bytes:,} 字节 · at most {limits.unpacked_bytes:,} bytes unpacked",
                )
            sink.write(chunk)
    return written
