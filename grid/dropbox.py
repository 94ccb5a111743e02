"""A folder where people and programs put files: which of them are whole, and where they go once they were taken or refused.

A file is whole when nobody has it open for writing and it has not changed for some seconds; a folder, when all in it are. What was taken lies in
`taken/`, what was refused in `refused/` with the reason beside it.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from grid.errors import HdqError

QUIET_S = 5.0
TAKEN, REFUSED = "taken", "refused"
MOST_FILES = 5000
"""Files in one folder that was put there."""


def whole(folder: Path, wanted: Callable[[Path], bool], quiet_s: float = QUIET_S, *, folders: bool = False) -> list[Path]:
    """What is `wanted` of a folder's files (and, where asked for, folders) and complete, oldest first. Links and hidden ones are not looked at."""
    found = []
    for path in folder.iterdir():
        if path.name.startswith(".") or (path.name in (TAKEN, REFUSED) and path.is_dir()):
            continue
        about = path.lstat()
        fits = stat.S_ISREG(about.st_mode) or (folders and stat.S_ISDIR(about.st_mode))
        if fits and wanted(path) and all(settled(file, quiet_s) for file in _files(path, about)):
            found.append((about.st_mtime, path))
    return [path for _, path in sorted(found)]


def _files(path: Path, about: os.stat_result) -> Iterator[Path]:
    """The file itself, or the files in a folder; None of them would be whole in an empty folder, so that gives the folder itself."""
    if stat.S_ISREG(about.st_mode):
        yield path
        return
    count = 0
    for here, _, names in os.walk(path, followlinks=False):
        for name in names:
            count += 1
            if count > MOST_FILES:
                return
            yield Path(here) / name
    if count == 0:
        yield path


def settled(path: Path, quiet_s: float) -> bool:
    """Whether a file is whole and quiet; links are not looked at and do not hold up what they lie in."""
    about = path.lstat()
    if stat.S_ISLNK(about.st_mode):
        return True
    return stat.S_ISREG(about.st_mode) and about.st_size > 0 and time.time() - about.st_mtime >= quiet_s and not _being_written(path)


def _being_written(path: Path) -> bool:
    """Whether some process has it open for writing: the kernel grants no read lease then. Where it grants none at all, quiet alone decides."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    except OSError as refused:
        return refused.errno == errno.EAGAIN
    finally:
        os.close(handle)


def put_away(path: Path, beside: Path, refusal: HdqError | None = None) -> None:
    """Moves what arrived, and the file `beside` it where there is one, under the time of arrival, so that a later one of the same name has room."""
    into = path.parent / (REFUSED if refusal else TAKEN)
    into.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S") + f"-{time.time_ns() % 1_000_000:06d}"
    for part in (path, beside):
        if part.exists():
            part.rename(into / f"{stamp}-{part.name}")
    if refusal:
        (into / f"{stamp}-{path.name}.txt").write_text(f"{refusal.detail}\n{refusal.remedy}\n")
