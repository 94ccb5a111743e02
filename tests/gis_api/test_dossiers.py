"""The report and the evidence package of a patch, over HTTP: whole, checkable by its own manifest, and only inside the caller's region."""

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime

import httpx
import numpy as np
import psycopg
import pyogrio
import pytest
import rasterio
from PIL import Image

from grid import evidence
from grid.settings import Settings
from imagery.scenes.raster import write_geotiff

BANDS = ("red", "green", "blue", "nir")


@pytest.fixture
def patch(settings: Settings, people: dict[str, int]) -> int:
    """A patch of 市南 between two scenes that have their files."""
    rng = np.random.default_rng(1)
    folder = settings.data_dir / "scenes"
    folder.mkdir(parents=True)
    place = "ST_Multi(ST_MakeEnvelope(120.381, 36.061, 120.383, 36.062, 4326))"
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        for name, month in (("before", 5), ("after", 9)):
            pixels = rng.integers(200, 3000, (4, 200, 200)).astype(np.uint16)
            write_geotiff(folder / f"{name}.tif", pixels, rasterio.Affine(0.0001, 0, 120.37, 0, -0.0001, 36.07), "EPSG:4326", bands=BANDS)
            connection.execute(
                """INSERT INTO scenes (id, collection, taken_at, file, sha256, bands, gsd_m, region_code, geom)
                VALUES (%s, 'c', %s, %s, %s, %s, 10, '3702', ST_MakeEnvelope(120.37, 36.05, 120.39, 36.07, 4326))""",
                (name, datetime(2026, month, 1, tzinfo=UTC), f"{name}.tif", name * 8, json.dumps([{"name": band, "index": n} for n, band in enumerate(BANDS, 1)])),
            )
        connection.execute("INSERT INTO surveys (analysis, analysis_version, before_scene, after_scene, region_code) VALUES ('change_vector', '1', 'before', 'after', '3702')")
        (made,) = connection.execute(
            f"INSERT INTO patches (survey_id, number, kind, score, area_m2, region_code, geom) SELECT id, 1, 'land_change', 0.9, 20000, '370202', {place} FROM surveys RETURNING id"
        ).fetchone()
        connection.execute(f"INSERT INTO patch_steps (patch_id, action, survey_id, area_m2, geom) SELECT {made}, 'found', id, 20000, {place} FROM surveys")
    return made


async def test_the_package_holds_everything_and_its_manifest_checks(app_client: httpx.AsyncClient, login, patch: int, tmp_path) -> None:
    await login(app_client, "linye")
    answer = await app_client.get(f"/api/patches/{patch}/evidence.zip")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip"), answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    listed = dict(reversed(line.split("  ", 1)) for line in files.pop("manifest.sha256").decode().splitlines())
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert files["核查报告.pdf"].startswith(b"%PDF-")
    pictures = [np.asarray(Image.open(io.BytesIO(files[f"影像/{side}时相.png"])).convert("RGB")) for side in "前后"]
    assert max(pictures[0].shape) == 900 and (pictures[0] != pictures[1]).any()
    (tmp_path / "p.gpkg").write_bytes(files["矢量/图斑.gpkg"])
    assert pyogrio.read_info(tmp_path / "p.gpkg")["features"] == len(json.loads(files["矢量/图斑.geojson"])["features"]) == 2
    (step,) = [json.loads(line) for line in files["沿革.jsonl"].decode().splitlines()]
    assert step["action"] == "found" and step["outline"].startswith("MULTIPOLYGON")
    findings = json.loads(files["合规.json"])["findings"]
    assert all({"rule", "rule_version", "verdict", "layer_versions", "decided_by"} <= finding.keys() for finding in findings)


async def test_photos_of_the_case_leave_as_their_blurred_copies_or_not_at_all(app_client: httpx.AsyncClient, login, patch: int, settings: Settings) -> None:
    sealed, blurred, waiting = (evidence.write_bytes(settings.data_dir, word) for word in (b"\xff\xd8 sealed", b"\xff\xd8 blurred", b"\xff\xd8 waiting"))
    elsewhere = evidence.write_bytes(settings.data_dir, b"\xff\xd8 elsewhere")
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        for sha256, shown, region in ((sealed, blurred, "370202"), (waiting, None, "370202"), (elsewhere, elsewhere, "370212")):
            connection.execute(
                "INSERT INTO evidence (sha256, kind, media_type, bytes, shown_sha256, region_code) VALUES (%s, 'photo', 'image/jpeg', 9, %s, %s)", (sha256, shown, region)
            )
        (case,) = connection.execute(
            """INSERT INTO cases (number, category_code, title, origin, state, region_code, accuracy_m, geom)
            VALUES ('n', '01002', 't', 'report', 'reported', '370202', 10, ST_SetSRID(ST_MakePoint(120.382, 36.0615), 4326)) RETURNING id"""
        ).fetchone()
        connection.execute("INSERT INTO case_steps (case_id, action, to_state, evidence) VALUES (%s, 'report', 'reported', %s)", (case, [sealed, waiting, elsewhere]))
        connection.execute("UPDATE patches SET case_id = %s WHERE id = %s", (case, patch))
    await login(app_client, "shinan")
    answer = await app_client.get(f"/api/patches/{patch}/evidence.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        photos = {name: archive.read(name) for name in archive.namelist() if name.startswith("照片/")}
    assert photos == {f"照片/{sealed}.jpg": b"\xff\xd8 blurred"}


async def test_the_report_is_a_pdf_of_the_callers_region_only(app_client: httpx.AsyncClient, login, patch: int) -> None:
    await login(app_client, "shinan")
    answer = await app_client.get(f"/api/patches/{patch}/report.pdf")
    assert answer.status_code == 200 and answer.content.startswith(b"%PDF-") and "attachment" in answer.headers["content-disposition"]
    assert (await app_client.get("/api/patches/999999/report.pdf")).status_code == 404
    await login(app_client, "laoshan")
    for file in ("report.pdf", "evidence.zip"):
        assert (await app_client.get(f"/api/patches/{patch}/{file}")).status_code == 404


async def test_an_index_over_time_has_a_point_for_every_scene_of_the_callers_region(app_client: httpx.AsyncClient, login, patch: int) -> None:
    await login(app_client, "linye")
    asked = {"lon": 120.382, "lat": 36.0615}
    found = (await app_client.get("/api/series", params=asked)).json()
    assert [point["scene"] for point in found["points"]] == ["before", "after"] and all(-1 <= point["value"] <= 1 for point in found["points"])
    assert (await app_client.get("/api/series", params={**asked, "index": "nbr"})).json()["points"] == [], "no band for it"
    assert (await app_client.get("/api/series", params={**asked, "index": "x"})).status_code == 422
    await login(app_client, "laoshan")
    assert (await app_client.get("/api/series", params=asked)).json()["points"] == []
