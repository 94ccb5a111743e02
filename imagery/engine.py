"""One way to run block jobs: here, on local processes, or on a dask cluster (`imagery.cluster`), with the same function and the same result.

Blocks are idempotent, so one that was lost is simply run again. Each result travels sealed with its checksum; kept in a folder it outlives the
run, and the next one goes on from there.
"""

import hashlib
import os
import pickle
import resource
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import xxhash

from grid.errors import HdqError, InvalidInput

Result = TypeVar("Result")
Open = Callable[[], AbstractContextManager[tuple[Executor, int]]]
"""Opens what carries out calls elsewhere, and says how many at a time."""
SEAL = 16


class Cancelled(HdqError):
    """The job was called off between two blocks; what was finished stays finished."""

    title = "已取消 · Cancelled"


class BlockFailed(HdqError):
    """A block could not be done; the message names the block and the reason."""

    title = "处理失败 · Processing failed"


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of a raster, in pixels, and the margin read around it (clipped at the raster's border).

    `row, col, height, width` is what the block writes; `window` is what it reads; `inner` cuts the first out of the second.
    """

    index: int
    row: int
    col: int
    height: int
    width: int
    top: int
    left: int
    bottom: int
    right: int

    @property
    def window(self) -> tuple[int, int, int, int]:
        """(row, col, height, width) with the margin."""
        return self.row - self.top, self.col - self.left, self.top + self.height + self.bottom, self.left + self.width + self.right

    @property
    def inner(self) -> tuple[slice, slice]:
        """The block's own pixels inside the array that was read for it."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    @property
    def outer(self) -> tuple[slice, slice]:
        """The block's own pixels inside the whole raster."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)


def blocks(height: int, width: int, *, size: int = 1024, margin: int = 0, wide: int | None = None) -> list[Block]:
    """Cuts a raster into blocks of size × size, or of `size` rows and `wide` columns, row by row; they cover each pixel once.

    >>> [(b.row, b.col, b.height, b.width) for b in blocks(3, 5, size=3)]
    [(0, 0, 3, 3), (0, 3, 3, 2)]
    >>> blocks(3, 5, size=3, margin=1)[1].window
    (0, 2, 3, 3)
    >>> blocks(0, 5)
    []
    """
    if size < 1 or margin < 0:
        raise InvalidInput(f"block size {size} and margin {margin} must be positive")
    made = []
    for row in range(0, height, size):
        for col in range(0, width, wide or size):
            tall, across = min(size, height - row), min(wide or size, width - col)
            made.append(
                Block(
                    len(made), row, col, tall, across,
                    top=min(margin, row), left=min(margin, col),
                    bottom=min(margin, height - row - tall), right=min(margin, width - col - across),
                )
            )  # fmt: skip
    return made


def run(
    function: Callable[[Block], Result],
    work: Sequence[Block],
    *,
    workers: int = 0,
    elsewhere: Open | None = None,
    done: frozenset[int] = frozenset(),
    keep: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
    attempts: int = 3,
) -> Iterator[tuple[Block, Result]]:
    """Runs `function` on each block that is not in `done` and yields (block, result) as they finish.

    workers 0: in this process, in order. Otherwise a pool of that many spawned processes, or what `elsewhere` opens (`cluster.opened`): `function`
    must be picklable, results come in any order, and the blocks of a killed process run again; `attempts` deaths without one finished block end it.
    `keep`: a folder where results stay, sealed; those of the same function that are there and whole are yielded first instead of run.
    `progress(finished, total)` counts blocks that were done before. `cancel` stops before the next block: Cancelled.
    An exception of ours passes; any other becomes BlockFailed.
    """
    total = len(work)
    waiting = [block for block in work if block.index not in done]
    finished = total - len(waiting)
    shelf = None if keep is None else _Shelf(keep, function)
    source = _kept(function, waiting, shelf, partial(_run, function, workers=workers, elsewhere=elsewhere, attempts=attempts, cancel=cancel))
    if progress:
        progress(finished, total)
    try:
        while True:
            _stop_if(cancel, finished, total)
            item = next(source, None)
            if item is None:
                if finished < total:
                    _stop_if(cancel, finished, total)
                return
            finished += 1
            if progress:
                progress(finished, total)
            yield item
    finally:
        source.close()


def forget(keep: Path) -> None:
    """Deletes what runs kept in a folder."""
    shutil.rmtree(keep, ignore_errors=True)


def _stop_if(cancel: threading.Event | None, finished: int, total: int) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled(f"stopped after {finished} of {total} blocks", remedy="run it again to do the rest")


def sealed(function: Callable[[Block], Result], block: Block) -> bytes:
    """The result of a block, pickled, behind its checksum (XXH3, 128 bits)."""
    payload = pickle.dumps(function(block), protocol=5)
    return xxhash.xxh3_128_digest(payload) + payload


def whole(parcel: bytes) -> bool:
    """Whether the bytes are what `sealed` made."""
    return len(parcel) > SEAL and xxhash.xxh3_128_digest(memoryview(parcel)[SEAL:]) == parcel[:SEAL]


class _Shelf:
    """Sealed results in files, in a folder named by what made them: another function, pair or parameter is another folder."""

    def __init__(self, folder: Path, function: Callable) -> None:
        self._folder = folder / hashlib.sha256(pickle.dumps(function, protocol=5)).hexdigest()[:24]
        self._folder.mkdir(parents=True, exist_ok=True)

    def take(self, block: Block) -> bytes | None:
        try:
            parcel = self._path(block).read_bytes()
        except FileNotFoundError:
            return None
        return parcel if whole(parcel) else None

    def put(self, block: Block, parcel: bytes) -> None:
        draft = self._path(block).with_suffix(f".{os.getpid()}")
        draft.write_bytes(parcel)
        os.replace(draft, self._path(block))

    def _path(self, block: Block) -> Path:
        return self._folder / f"{block.index:06d}.block"


def _kept(
    function: Callable[[Block], Result], waiting: list[Block], shelf: _Shelf | None, carry: Callable[..., Iterator[tuple[Block, bytes]]]
) -> Iterator[tuple[Block, Result]]:
    missing = []
    for block in waiting:
        parcel = shelf.take(block) if shelf else None
        if parcel is None:
            missing.append(block)
        else:
            yield block, pickle.loads(memoryview(parcel)[SEAL:])
    source = carry(missing)
    try:
        for block, parcel in source:
            if shelf:
                shelf.put(block, parcel)
            yield block, pickle.loads(memoryview(parcel)[SEAL:])
    finally:
        source.close()


def _run(
    function: Callable[[Block], Result], waiting: list[Block], *, workers: int, elsewhere: Open | None, attempts: int, cancel: threading.Event | None
) -> Iterator[tuple[Block, bytes]]:
    if elsewhere is None and workers == 0:
        return _here(function, waiting)
    return _elsewhere(function, waiting, elsewhere or partial(_pool, workers), attempts, cancel)


def _here(function: Callable[[Block], Result], waiting: list[Block]) -> Iterator[tuple[Block, bytes]]:
    for block in waiting:
        try:
            parcel = sealed(function, block)
        except HdqError:
            raise
        except Exception as error:
            raise _failed(block, error) from error
        yield block, parcel


def _failed(block: Block, error: BaseException) -> BlockFailed:
    return BlockFailed(f"block {block.index} at row {block.row}, column {block.col}: {type(error).__name__}: {error}")


@contextmanager
def _pool(workers: int) -> Iterator[tuple[Executor, int]]:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool, workers


def _elsewhere(
    function: Callable[[Block], Result], waiting: list[Block], opening: Open, attempts: int, cancel: threading.Event | None
) -> Iterator[tuple[Block, bytes]]:
    left = {block.index: block for block in waiting}
    lost = 0
    while left:
        queue = iter(list(left.values()))
        with opening() as (pool, workers):
            running = {pool.submit(sealed, function, block): block for block, _ in zip(queue, range(2 * workers), strict=False)}
            try:
                while running:
                    ready, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                    if cancel is not None and cancel.is_set():
                        return
                    for future in ready:
                        block = running.pop(future)
                        try:
                            parcel = future.result()
                        except (HdqError, BrokenProcessPool):
                            raise
                        except Exception as error:
                            raise _failed(block, error) from error
                        if not whole(parcel):
                            raise BrokenProcessPool(f"the result of block {block.index} came damaged")
                        del left[block.index]
                        lost = 0
                        yield block, parcel  # before anything that may find the pool broken: what is done is told
                        following = next(queue, None)
                        if following is not None:
                            running[pool.submit(sealed, function, following)] = following
            except BrokenProcessPool as error:
                lost += 1
                if lost >= attempts:
                    raise _failed(min(left.values(), key=lambda block: block.index), error) from error
            finally:
                for future in running:
                    future.cancel()


def isolated(function: Callable[..., Result], *arguments: object, seconds: float = 300.0, memory_bytes: int = 6 << 30) -> Result:
    """Runs `function` in a process of its own with a ceiling on memory and time: for bytes from outside, whose decoder may crash.

    Errors of ours pass; a crash, a lack of memory or the end of the time is BlockFailed.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_confine, initargs=(memory_bytes, int(seconds) + 1)) as pool:
        try:
            return pool.submit(function, *arguments).result(timeout=seconds)
        except HdqError:
            raise
        except TimeoutError as error:
            for process in list(pool._processes.values()):
                process.kill()
            raise BlockFailed(f"not done within {seconds:.0f} s", remedy="send a smaller or simpler file") from error
        except (BrokenProcessPool, MemoryError) as error:
            raise BlockFailed("the decoder crashed or ran out of memory on these bytes", remedy="export the file again, smaller") from error


def _confine(memory_bytes: int, cpu_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (4 * cpu_seconds, 4 * cpu_seconds))
