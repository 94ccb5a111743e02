"""hdq import: the same door as the web's, with candidates and bad rows said on the terminal."""

import asyncio

import pytest
from typer.testing import CliRunner

from gis_api.__main__ import app
from grid.database import connect, rows
from grid.errors import UnknownCrs

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
