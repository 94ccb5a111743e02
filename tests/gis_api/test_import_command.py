"""hdq import: the same door as the web's, with candidates and bad rows said on the terminal."""

import asyncio

import pytest
from typer.testing import CliRunner

from gis_api.__main__ import app
from grid.database import connect, rows
from grid.errors import InvalidInput, UnknownCrs

POINTS = "name,lon,lat\n五四广场,120.3826,36.0631\n颠倒,36.1,120.4\n栈桥,120.3147,36.0606\n"


@pytest.fixture
def run(settings, monkeypatch):
    """Runs `hdq import …` over this test's database."""
    monkeypatch.setenv("HDQ_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("HDQ_DATA_DIR", str(settings.data_dir))
    return lambda *arguments: CliRunner().invoke(app, ["import", *map(str, arguments)])


async def _stored(url: str) -> list[str]:
    connection = await connect(url)
    try:
        return [r["label"] for r in await rows(connection, "SELECT label FROM dataset_features ORDER BY id")]
    finally:
        await connection.close()


def test_a_file_is_imported_and_its_bad_row_named(run, settings, tmp_path):
    path = tmp_path / "点.csv"
    path.write_text(POINTS)
    done = run(path, "--crs", "CGCS2000", "--title", "地标")
    assert done.exit_code == 0, done.output
    assert "地标" in done.output and "EPSG:4490" in done.output and "2  坐标轴颠倒" in done.output
    assert asyncio.run(_stored(settings.database_url)) == ["五四广场", "栈桥"]


def test_a_missing_frame_is_refused_with_what_to_type(run, settings, tmp_path):
    path = tmp_path / "点.csv"
    path.write_text(POINTS)
    refused = run(path)
    assert isinstance(refused.exception, UnknownCrs)
    assert "--crs EPSG:4326 " in refused.output and "--crs GCJ-02 " in refused.output
    assert asyncio.run(_stored(settings.database_url)) == []


def test_suspicious_rows_are_held_and_fixed_or_trusted(run, settings, tmp_path):
    path = tmp_path / "点.csv"
    lines = [f"P{i},{36.06 + i / 1000:.4f},{120.38 + i / 1000:.4f}" if i < 8 else f"P{i},{120.38 + i / 1000:.4f},{36.06 + i / 1000:.4f}" for i in range(20)]
    path.write_text("\n".join(["name,lon,lat", *lines]))
    held = run(path, "--crs", "CGCS2000", "--title", "桩")
    assert held.exit_code == 3, held.output
    assert "已隔离" in held.output and "8/20" in held.output and "坐标轴颠倒" in held.output and "--fix" in held.output
    assert asyncio.run(_stored(settings.database_url)) == []
    fixed = run(path, "--crs", "CGCS2000", "--title", "桩", "--fix")
    assert fixed.exit_code == 0, fixed.output
    assert asyncio.run(_stored(settings.database_url)) == [f"P{i}" for i in range(20)]


def test_upsert_shows_what_changes_and_asks(run, settings, tmp_path):
    first, second = tmp_path / "点.csv", tmp_path / "新.csv"
    first.write_text("code,name,lon,lat\na,五四广场,120.3826,36.0631\nb,栈桥,120.3147,36.0606\n")
    second.write_text("code,name,lon,lat\nb,栈桥公园,120.3147,36.0606\nc,音乐广场,120.3786,36.0597\n")
    made = run(first, "--crs", "CGCS2000", "--key", "code")
    assert made.exit_code == 0, made.output
    dataset = made.output.split("dataset_")[1].split()[0]
    change = ("--crs", "CGCS2000", "--mode", "upsert", "--dataset", dataset)
    looked = run(second, *change, "--preview")
    assert looked.exit_code == 0 and "new 1  改变 changed 1" in looked.output and "音乐广场" in looked.output, looked.output
    assert asyncio.run(_stored(settings.database_url)) == ["五四广场", "栈桥"]
    done = run(second, *change, "--yes")
    assert done.exit_code == 0 and "version 2" in done.output, done.output
    assert asyncio.run(_stored(settings.database_url)) == ["五四广场", "栈桥公园", "音乐广场"]
    assert isinstance(run(second, "--mode", "upsert").exception, InvalidInput)
