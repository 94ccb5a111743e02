"""Block jobs: every pixel once, lost blocks again, cancelled between two blocks."""

import os
import threading
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.errors import InvalidInput
from imagery import engine
from imagery.engine import Block, BlockFailed, Cancelled, blocks, isolated, run


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 17), st.integers(0, 9))
def test_blocks_cover_each_pixel_once_and_margins_stay_inside(height: int, width: int, size: int, margin: int) -> None:
    seen = np.zeros((height, width), int)
    for block in blocks(height, width, size=size, margin=margin):
        seen[block.outer] += 1
        row, col, tall, wide = block.window
        assert row >= 0 and col >= 0 and row + tall <= height and col + wide <= width
        read = np.arange(height * width).reshape(height, width)[row : row + tall, col : col + wide]
        assert (read[block.inner] == np.arange(height * width).reshape(height, width)[block.outer]).all()
    assert (seen == 1).all()


def test_refuses_a_block_size_of_nothing() -> None:
    with pytest.raises(InvalidInput):
        blocks(3, 3, size=0)


def area(block: Block) -> int:
    return block.height * block.width


def test_runs_in_process_skips_done_blocks_and_reports_progress() -> None:
    told: list[tuple[int, int]] = []
    work = blocks(10, 10, size=5)
    results = {block.index: value for block, value in run(area, work, done=frozenset({0}), progress=lambda *n: told.append(n))}
    assert results == {1: 25, 2: 25, 3: 25}
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_cancel_stops_before_the_next_block() -> None:
    cancel, seen = threading.Event(), []
    with pytest.raises(Cancelled, match="1 of 4"):
        for block, _ in run(area, blocks(10, 10, size=5), cancel=cancel):
            seen.append(block.index)
            cancel.set()
    assert seen == [0]


def broken(block: Block) -> int:
    if block.index == 2:
        raise ZeroDivisionError("no such thing")
    return 0


def test_a_failing_block_names_itself() -> None:
    with pytest.raises(BlockFailed, match="block 2 at row 5, column 0: ZeroDivisionError"):
        list(run(broken, blocks(10, 10, size=5)))


def dies_once(marker: str, block: Block) -> int:
    if block.index == 1 and not Path(marker).exists():
        Path(marker).write_text("died")
        os._exit(9)
    return area(block)


def dies_always(block: Block) -> int:
    os._exit(9)


def test_blocks_of_a_killed_process_run_again(tmp_path: Path) -> None:
    work = blocks(10, 10, size=5)
    results = dict((block.index, value) for block, value in run(partial(dies_once, str(tmp_path / "marker")), work, workers=1))
    assert results == {0: 25, 1: 25, 2: 25, 3: 25}


def test_a_pool_that_breaks_while_the_next_block_is_given_out_loses_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(100))

    class BreaksOnce(engine.ProcessPoolExecutor):
        def submit(self, *arguments: object) -> Future:
            if next(calls) == 2:
                raise BrokenProcessPool("a process died a moment ago")
            return super().submit(*arguments)

    monkeypatch.setattr(engine, "ProcessPoolExecutor", BreaksOnce)
    results = [block.index for block, _ in run(area, blocks(10, 10, size=5), workers=1)]
    assert sorted(results) == [0, 1, 2, 3]


def test_a_block_that_always_kills_its_process_ends_the_job() -> None:
    with pytest.raises(BlockFailed, match="block 0"):
        list(run(dies_always, blocks(5, 5, size=5), workers=1, attempts=2))


def hungry() -> int:
    return len(bytearray(8 << 30))


def slow() -> None:
    threading.Event().wait(60)


def test_an_isolated_function_is_confined() -> None:
    assert isolated(area, blocks(4, 5)[0]) == 20
    with pytest.raises(BlockFailed, match="memory"):
        isolated(hungry)
    with pytest.raises(BlockFailed, match="not done within 2 s"):
        isolated(slow, seconds=2)
    with pytest.raises(BlockFailed, match="crashed"):
        isolated(os._exit, 9)
