"""Evidence on disk: a file that no row names is found and swept once it is old; one that is stored again is young again."""

import io
import os
import time

from PIL import Image
from psycopg import AsyncConnection

from grid import evidence

DAY = 86_400.0


def jpeg(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (32, 32), shade).save(buffer, "JPEG")
    return buffer.getvalue()


async def test_only_old_files_without_a_row_are_swept(conn: AsyncConnection, tmp_path):
    kept = await evidence.store(conn, tmp_path, jpeg(10), kind="photo", region_code="3702")
    shown, lost, young, again = [evidence.write_bytes(tmp_path, jpeg(shade)) for shade in (20, 30, 40, 50)]
    await evidence.set_shown(conn, kept.sha256, shown)
    for name in (kept.sha256, shown, lost, again):
        os.utime(evidence.path_of(tmp_path, name), times=(time.time() - 2 * DAY,) * 2)
    assert evidence.write_bytes(tmp_path, jpeg(50)) == again
    assert [path.name for path in await evidence.orphans(conn, tmp_path)] == [lost]
    assert [await evidence.sweep(conn, tmp_path) for _ in range(2)] == [1, 0]
    assert {path.name for path in (tmp_path / "evidence").rglob("*") if path.is_file()} == {kept.sha256, shown, young, again}


async def test_what_is_stored_again_while_it_is_swept_stays(conn: AsyncConnection, tmp_path, monkeypatch):
    name = evidence.write_bytes(tmp_path, jpeg(30))
    os.utime(evidence.path_of(tmp_path, name), times=(time.time() - 2 * DAY,) * 2)
    asked, sound = [], evidence._stored_before

    def stored_before(path, seconds):
        asked.append(sound(path, seconds))
        if len(asked) == 2:
            evidence.write_bytes(tmp_path, jpeg(30))
        return asked[-1]

    monkeypatch.setattr(evidence, "_stored_before", stored_before)
    assert await evidence.sweep(conn, tmp_path) == 0 and asked == [True, True]
    assert evidence.read_bytes(tmp_path, name) == jpeg(30) and [path.name for path in (tmp_path / "evidence").rglob("*") if path.is_file()] == [name]
