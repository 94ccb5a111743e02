"""A file read in a process of its own with limits: what crashes or exhausts it harms nobody else, and it works while the database stores.

The parent sends the job; the child answers with messages of a byte of kind, then bytes of COPY, or JSON. Nothing the child says is unpickled.
"""

import contextlib
import gc
import json
import os
import pickle
import queue
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import IO, Any

from grid import crs as frames
from grid import errors
from grid.errors import HdqError, InvalidInput
from layers.reading import kinds
from layers.reading.batches import Options
from layers.reading.pipeline import Pipeline, Reject, Summary, Surroundings

DECODER_BYTES = 8 * 1024**3
DECODER_SECONDS = 1800
"""Of processor time; the kernel ends the decoder there."""
_AHEAD = 2
"""Chunks that wait while the database stores one."""
_ROOT = Path(__file__).resolve().parents[2]
_FRUGAL = {"PYTHONPATH": str(_ROOT), "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Memory that was let go returns to the system; no idle threads with stacks and arenas of their own."""
COMMAND = [sys.executable, "-c", "from layers.reading.apart import serve; serve()"]


@dataclass(frozen=True, slots=True)
class Job:
    """What the child is to do: read `path`, called `name` by its sender, a file of `kind`, for the dataset of an id."""

    path: Path
    name: str
    kind: str
    options: Options
    around: Surroundings
    dataset_id: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows in COPY's binary format; `rows` so far, `done` the share of the file read."""

    rows: int
    done: float
    data: bytes | memoryview


def here(job: Job) -> Iterator[Chunk | Summary]:
    """Chunks and, last, the summary, read in this process: for small files of text."""
    from layers.reading.copying import Packer

    with kinds.opened(job.kind, job.path, job.options) as opened:
        pipeline = Pipeline(job.name, opened, job.options, job.around)
        packer = Packer(job.dataset_id, pipeline.placer.codes)
        for piece in pipeline.pieces():
            yield Chunk(pipeline.kept, piece.done, packer.pack(piece))
        yield pipeline.summary()


def apart(job: Job, work: Callable[[Job], Iterator[Chunk | Summary]] = here) -> Iterator[Chunk | Summary]:
    """The same, or other `work` of a module, from a process of its own. Closing the iterator ends that process."""
    child = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **_FRUGAL}, start_new_session=True)
    waiting: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def pull() -> None:
        while not stop.is_set():
            message = _received(child.stdout)
            while not stop.is_set():
                with contextlib.suppress(queue.Full):
                    waiting.put(message, timeout=0.5)
                    break
            if message is None:
                return

    reader = threading.Thread(target=pull, daemon=True)
    reader.start()
    try:
        with contextlib.suppress(BrokenPipeError), child.stdin as order:
            pickle.dump((job, work), order)
        head: dict[str, Any] = {}
        while True:
            message = waiting.get()
            if message is None:
                raise InvalidInput(
                    "读取程序未能读完此文件 · the decoder could not finish this file",
                    remedy="用 GIS 软件重新导出，或拆小 · export it again, or split it",
                )
            kind, body = message[:1], memoryview(message)[1:]
            if kind == b"H":
                head = json.loads(bytes(body))
            elif kind == b"D":
                yield Chunk(head["rows"], head["done"], body)
            elif kind == b"S":
                yield summary_of(json.loads(bytes(body)))
                return
            else:
                raise _error(json.loads(bytes(body)))
    finally:
        stop.set()
        child.kill()
        child.wait()
        reader.join(timeout=5)
        child.stdout.close()


def _received(source: IO[bytes]) -> bytes | None:
    length = source.read(8)
    body = source.read(int.from_bytes(length, "big")) if len(length) == 8 else b""
    return body if body else None


def serve() -> None:
    """The child: takes a job from its standard input and writes messages, each after its length, to its standard output."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    job: Job
    job, work = pickle.load(sys.stdin.buffer)

    def send(kind: bytes, *parts: bytes | memoryview) -> None:
        sink.write((1 + sum(map(len, parts))).to_bytes(8, "big") + kind)
        for part in parts:
            sink.write(part)
        sink.flush()

    _prepare(job.kind)
    gc.disable()  # records hold no cycles; looking for some among millions of lists takes most of the time
    try:
        for found in work(job):
            if isinstance(found, Summary):
                send(b"S", json.dumps(asdict(found)).encode())
            elif len(found.data):
                send(b"H", json.dumps({"rows": found.rows, "done": found.done}).encode())
                send(b"D", found.data)
    except HdqError as refusal:
        extra = {k: [asdict(c) for c in v] if k == "candidates" else v for k, v in refusal.extra.items()}
        send(b"E", json.dumps({"kind": type(refusal).__name__, "detail": refusal.detail, "remedy": refusal.remedy, "extra": extra}, default=str).encode())
    except MemoryError:
        send(b"E", json.dumps({"kind": "TooLarge", "detail": "内存不足 · not enough memory", "remedy": "拆分文件 · split the file", "extra": {}}).encode())


def _prepare(kind: str) -> None:
    """Limits of the decoder's process. pyogrio and pyarrow load pandas when it is there, for nothing we call: hidden, an import is a second faster."""
    from layers.reading import ogr

    sys.meta_path.insert(0, _Without())
    ogr.alone(kind)
    resource.setrlimit(resource.RLIMIT_AS, (DECODER_BYTES, DECODER_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (DECODER_SECONDS, DECODER_SECONDS))


class _Without(MetaPathFinder):
    """Says that pandas is not installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in ("pandas", "geopandas"):
            raise ModuleNotFoundError(f"{name} is not wanted here", name=name)


def summary_of(found: dict) -> Summary:
    """A summary from its JSON."""
    return Summary(
        **{
            **found,
            "attributes": tuple((str(n), str(k)) for n, k in found["attributes"]),
            "rejected": tuple(Reject(int(r["row"]), str(r["reason"])) for r in found["rejected"]),
            "bounds": tuple(float(v) for v in found["bounds"]),
        }
    )


def _error(found: dict) -> HdqError:
    """The refusal as the child raised it."""
    made = getattr(errors, str(found["kind"]), InvalidInput)
    extra = dict(found["extra"])
    if "candidates" in extra:
        extra["candidates"] = [frames.Candidate(**c) for c in extra["candidates"]]
    return made(found["detail"], remedy=found["remedy"], **extra)
