"""Zip and tar archives from strangers: what may be in one, and limits on the bytes that really come out of it."""

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from grid.errors import InvalidInput, TooLarge

MAX_MEMBERS = 1000
MAX_UNPACKED_BYTES = 2 * 1024**3
MAX_RATIO = 200
RATIO_FROM_BYTES = 8 * 1024**2
CHUNK = 1024**2
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError)
TAR_MAGIC_AT = 257


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes that may come out of an archive, and how many times the archive's own size that may be."""

    unpacked_bytes: int = MAX_UNPACKED_BYTES
    ratio: int = MAX_RATIO


@contextmanager
def opened_zip(archive: Path) -> Iterator[zipfile.ZipFile]:
    """A zip to read from; InvalidInput when it is damaged, also when that shows only while reading."""
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
        _inside(info.filename, link=stat.S_ISLNK(info.external_attr >> 16))
        if info.flag_bits & 1:
            raise InvalidInput("压缩包已加密 · the zip is encrypted", remedy="去掉密码后上传 · pack it without a password")
    return infos


def _inside(name: str, *, link: bool) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or not path.parts or ".." in path.parts or ":" in path.parts[0] or link:
        raise InvalidInput(f"压缩包含越界路径或链接 · the zip holds a path that leaves it, or a link: {name!r}", remedy="只打包数据本身 · pack the data's own files only")
    return path


def pour(source: IO[bytes], sink: IO[bytes], name: str, packed_bytes: int, budget: int, limits: Limits) -> int:
    """Copies what comes out of a member; how many bytes. TooLarge beyond `budget`, or beyond `limits.ratio` times its packed size."""
    written = 0
    while chunk := source.read(CHUNK):
        written += len(chunk)
        if written > budget or (written > RATIO_FROM_BYTES and written > limits.ratio * max(packed_bytes, 1)):
            raise TooLarge(
                f"解压后过大 · unpacks to too much: {name!r} after {written:,} bytes",
                remedy=f"解压后至多 {limits.unpacked_bytes:,} 字节 · at most {limits.unpacked_bytes:,} bytes unpacked",
            )
        sink.write(chunk)
    return written


def is_bundle(path: Path) -> bool:
    """Whether a file is a zip, a tar or a gzipped tar, by its bytes."""
    with path.open("rb") as file:
        head = file.read(TAR_MAGIC_AT + 5)
    return head.startswith((b"PK\x03\x04", b"\x1f\x8b")) or head[TAR_MAGIC_AT:] == b"ustar"


def unpack_tree(archive: Path, into: Path, limits: Limits) -> Path:
    """All regular files of a zip or (gzipped) tar under their own paths below `into`, which is made; returns `into`.

    Raises InvalidInput (damaged, a path that leaves it, a link or device, encrypted) and TooLarge (members, bytes, ratio), counted while unpacking.
    """
    into.mkdir(parents=True)
    with archive.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    (_unzip if zipped else _untar)(archive, into, limits)
    return into


def _unzip(archive: Path, into: Path, limits: Limits) -> None:
    budget = limits.unpacked_bytes
    with opened_zip(archive) as bundle:
        for info in members(bundle):
            with bundle.open(info) as source, _made(into, info.filename) as sink:
                budget -= pour(source, sink, info.filename, info.compress_size, budget, limits)


def _untar(archive: Path, into: Path, limits: Limits) -> None:
    budget, packed = limits.unpacked_bytes, archive.stat().st_size
    count = 0
    try:
        with tarfile.open(archive, "r:*") as bundle:
            for info in bundle:
                if info.isdir():
                    continue
                count += 1
                if count > MAX_MEMBERS:
                    raise TooLarge(f"压缩包含 {count} 个以上文件 · the tar holds over {MAX_MEMBERS} files", remedy=f"至多 {MAX_MEMBERS} 个 · at most {MAX_MEMBERS}")
                _inside(info.name, link=not info.isreg())
                source = bundle.extractfile(info)
                if source is None:
                    raise InvalidInput(f"压缩包中的 {info.name!r} 读不出 · {info.name!r} in the tar cannot be read", remedy="重新打包 · pack it again")
                with source, _made(into, info.name) as sink:
                    budget -= pour(source, sink, info.name, packed, budget, limits)
    except DAMAGE as damage:
        raise InvalidInput(f"压缩包损坏或被截断 · the tar is damaged or cut off: {damage}", remedy="重新打包上传 · pack and send it again") from damage


def _made(into: Path, name: str) -> IO[bytes]:
    target = into.joinpath(*_inside(name, link=False).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
