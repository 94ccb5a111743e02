"""Studies through their doors: asked for, carried out by the job, their features, findings and items; cancelled, refused, done once."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
import shapely
from psycopg import AsyncConnection
from pyproj import Transformer
from rasterio.transform import from_origin
from typer.testing import CliRunner

from gis_api.__main__ import app
from gis_api.tasks import JobContext
from gis_api.tasks.studies import TASKS
from grid.database import make_pool
from grid.settings import Settings
from grid.world import parcels
from grid.world.parcels import Parcel, Permit
from imagery.scenes import catalogue, studies
from imagery.scenes.raster import write_geotiff
from imagery.scenes.studies import fields, objects
from tests.grid.sensing.test_unpermitted import at
from tests.imagery.scenes.test_crops import series
from tests.imagery.scenes.test_orthos import Reds, mosaic
from tests.imagery.scenes.test_volumes import cone, surface, write


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))


async def register(conn: AsyncConnection, settings: Settings, path: Path, name: str, day: int = 1, bands: tuple[str, ...] = ("dsm",), **said) -> None:
    taken = said.pop("taken_at", datetime(2026, 6, day, 3, tzinfo=UTC))
    await catalogue.register(conn, settings.data_dir, path, scene_id=name, taken_at=taken, bands=bands, **said)
    await conn.commit()


async def done(client: httpx.AsyncClient, settings: Settings, kind: str, scenes: list[str], **said) -> dict:
    """A study asked for and carried out."""
    asked = await client.post("/api/studies", json={"kind": kind, "scenes": scenes, **said})
    assert asked.status_code == 202, asked.text
    async with make_pool(settings.database_url, size=2) as pool:
        await TASKS["study"](JobContext(settings, pool), asked.json()["id"])
    return (await client.get(f"/api/studies/{asked.json()['id']}")).json()


async def test_volumes_have_doors(app_client: httpx.AsyncClient, login, conn: AsyncConnection, settings: Settings, tmp_path: Path, monkeypatch) -> None:
    later = surface(2)
    heap = cone(later, 30, 30, 8, 4)
    for name, heights, day in (("a", surface(1), 1), ("b", later, 20)):
        await register(conn, settings, write(tmp_path / f"{name}.tif", heights), name, day, elsewhere=True)
    await login(app_client, "linye")
    assert (await app_client.post("/api/studies", json={"kind": "volumes", "scenes": ["a", "b"]})).status_code == 403
    await login(app_client, "suanfa")
    kinds = {one["id"]: one for one in (await app_client.get("/api/studies/kinds")).json()}
    assert set(kinds) == {"volumes", "objects", "unpermitted", "crops"} and kinds["volumes"]["parameters"]["properties"]["least_m"]["unit"] == "m"
    for wrong, says in (
        ({"scenes": ["b", "a"]}, "not before"), ({"scenes": ["a"]}, "1 scenes"), ({"scenes": ["a", "b"], "parameters": {"least_m": -1}}, "least_m"),
        ({"scenes": ["a", "b"], "dataset": "none"}, "no dataset"), ({"scenes": ["a", "none"]}, "no scene"),
    ):  # fmt: skip
        refused = await app_client.post("/api/studies", json={"kind": "volumes"} | wrong)
        assert refused.status_code in (404, 422) and says in refused.text, wrong
    study = await done(app_client, settings, "volumes", ["a", "b"])
    assert (study["state"], study["error"], study["progress"]) == ("done", None, 1) and study["result"]["risen_m3"] == pytest.approx(heap, rel=0.05)
    found = (await app_client.get(f"/api/studies/{study['id']}/features")).json()["features"]
    assert found[0]["properties"]["class"] == "heap" and found[0]["properties"]["observation_id"] and study["result"]["new_findings"] == study["result"]["findings"] >= 1
    again = await app_client.post("/api/studies", json={"kind": "volumes", "scenes": ["a", "b"]})
    assert again.status_code == 200 and again.json()["id"] == study["id"]
    (item,) = [one for one in (await app_client.get("/api/scenes/b/derived")).json()["features"] if one["collection"] == "hdq-results"]
    assert [link["title"] for link in item["links"] if link["rel"] == "derived_from"] == ["a", "b"] and item["properties"]["hdq:result"]["risen_m3"] == study["result"]["risen_m3"]
    assert (await app_client.post(f"/api/studies/{study['id']}/cancel")).status_code == 409
    off = (await app_client.post("/api/studies", json={"kind": "volumes", "scenes": ["a", "b"], "parameters": {"least_m": 1}})).json()
    assert (await app_client.post(f"/api/studies/{off['id']}/cancel")).json()["state"] == "cancelled"
    async with make_pool(settings.database_url, size=2) as pool:
        await TASKS["study"](JobContext(settings, pool), off["id"])
    assert (await app_client.get(f"/api/studies/{off['id']}")).json()["state"] == "cancelled"

    monkeypatch.setenv("HDQ_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("HDQ_DATA_DIR", str(settings.data_dir))
    told = await asyncio.to_thread(CliRunner().invoke, app, ["study", "run", "volumes", "--scene", "a", "--scene", "b", "--set", "minimum_area_m2=40", "--again"])
    assert told.exit_code == 0 and json.loads(told.output.splitlines()[-1])["state"] == "done" and json.loads(told.output.splitlines()[0])["properties"]["class"] == "heap"


async def test_footprints_without_a_permit_have_doors(app_client: httpx.AsyncClient, login, conn: AsyncConnection, settings: Settings) -> None:
    await conn.execute(
        """
        INSERT INTO buildings (id, name, address, use, height_m, floors, households, region_code, simulated, geom)
        VALUES (1, '', '', 'residential', 9, 3, 2, '370202', true, %(geom)s)
        """,
        {"geom": shapely.set_srid(at(0, 0), 4326)},
    )
    await parcels.load(
        conn, [Parcel("east", "residential", False, "", 1.0, "370202", True, shapely.MultiPolygon([at(100, -20, 60, 60)]))],
        [Permit("建字2026-1", "construction", "east", date(2026, 1, 1), date(2027, 1, 1), True)],
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, feature_count, region_code) VALUES ('roofs', 'x', 'Polygon', 'EPSG:4326', 'f', '', 4, '3702')"
    )
    for number, shape in enumerate((at(0.8, -0.7), at(110, 0), at(300, 0), at(0, 0, 20, 24)), 1):
        await conn.execute(
            "INSERT INTO dataset_features (dataset_id, id, label, region_code, geom) VALUES ('roofs', %s, '', '370202', %s)", [number, shapely.set_srid(shape, 4326)]
        )
    await conn.commit()
    await login(app_client, "suanfa")
    assert (await app_client.post("/api/studies", json={"kind": "unpermitted", "dataset": "roofs"})).status_code == 422
    study = await done(app_client, settings, "unpermitted", [], dataset="roofs", parameters={"on": "2026-06-01"})
    assert study["state"] == "done" and {key: study["result"][key] for key in ("known_count", "permitted_count", "candidate_count")} == {"known_count": 1, "permitted_count": 1, "candidate_count": 2}
    found = (await app_client.get(f"/api/studies/{study['id']}/features")).json()["features"]
    pages = [(await app_client.get(f"/api/studies/{study['id']}/features?limit=1&offset={offset}")).json()["features"] for offset in range(3)]
    assert pages == [found[:1], found[1:], []]
    assert sorted(one["properties"]["class"] for one in found) == ["building", "extension"] and all(one["properties"]["observation_id"] for one in found)
    anew = await app_client.post("/api/studies", json={"kind": "unpermitted", "dataset": "roofs", "parameters": {"on": "2026-06-01"}, "again": True})
    assert anew.status_code == 202 and anew.json()["id"] == study["id"] and anew.json()["state"] == "queued"
    told = await (await conn.execute("SELECT detail ->> 'again', staff.username FROM audit JOIN staff ON staff.id = staff_id WHERE entity = %s ORDER BY audit.id", [f"study/{study['id']}"])).fetchall()
    assert told == [("false", "suanfa"), ("true", "suanfa")]
    await login(app_client, "laoshan")
    for path in (f"/api/studies/{study['id']}", f"/api/studies/{study['id']}/features"):
        assert (await app_client.get(path)).status_code == 404
    assert (await app_client.get("/api/studies")).json() == []


async def test_objects_have_doors(app_client: httpx.AsyncClient, login, conn: AsyncConnection, settings: Settings, tmp_path: Path, monkeypatch) -> None:
    await register(conn, settings, mosaic(tmp_path / "m.tif", [(100, 100, 145, 120), (400, 300, 445, 320)]), "ortho", bands=("red", "green", "blue"), elsewhere=True)
    await login(app_client, "suanfa")
    failed = await done(app_client, settings, "objects", ["ortho"], parameters={"model": "absent"})
    assert failed["state"] == "failed" and "absent" in failed["error"]
    card = type("Card", (), {"id": "reds", "sha256": "a" * 64})
    monkeypatch.setattr(objects.weights, "find_model", lambda folder, name: type("Model", (), {"card": card}))
    monkeypatch.setattr(objects.weights, "load_engine", lambda model: Reds())
    study = await done(app_client, settings, "objects", ["ortho"], parameters={"model": "reds", "largest_m": 6, "kinds": {"car": "illegal_parking"}})
    found = (await app_client.get(f"/api/studies/{study['id']}/features")).json()["features"]
    assert study["state"] == "done", study["error"]
    assert [one["properties"]["class"] for one in found] == ["car", "car"] and study["result"]["new_findings"] == 2 and found[0]["properties"]["width_m"] == pytest.approx(4.5)


async def test_crops_have_doors(app_client: httpx.AsyncClient, login, conn: AsyncConnection, settings: Settings, tmp_path: Path, monkeypatch) -> None:
    left, top = 265_000.0, 4_000_000.0
    halves = [shapely.box(left + 40, top - 600, left + 290, top - 40), shapely.box(left + 350, top - 600, left + 600, top - 40)]
    back = Transformer.from_crs("EPSG:32651", "EPSG:4326", always_xy=True)
    shapes = [shapely.transform(half, back.transform, interleaved=False) for half in halves]
    await parcels.load(conn, [Parcel(name, "farmland", False, "", 1.0, "370212", False, shapely.MultiPolygon([shape])) for name, shape in zip("we", shapes, strict=True)], [])
    days, wheat = series("winter", 2025, 1, every=12)
    _, maize = series("summer", 2025, 2, every=12)
    kept = [number for number, day in enumerate(days) if date(2025, 2, 10) <= day <= date(2025, 11, 20)]
    for number in kept:
        ndvi = np.full((64, 64), 0.0)
        ndvi[:, :32], ndvi[:, 32:] = (0.2 if not np.isfinite(one[number]) else one[number] for one in (wheat, maize))
        red = np.full((64, 64), 1000.0)
        pixels = np.stack([red, red * (1 + ndvi) / (1 - ndvi)]).astype(np.uint16)
        path = write_geotiff(tmp_path / f"{number}.tif", pixels, from_origin(left, top, 10, 10), "EPSG:32651", nodata=0)
        taken = datetime.combine(days[number], datetime.min.time(), UTC) + timedelta(hours=3)
        await register(conn, settings, path, f"s{number:03d}", bands=("red", "nir"), collection="s2", taken_at=taken, elsewhere=True)
    await login(app_client, "suanfa")
    await register(conn, settings, write(tmp_path / "dsm.tif", surface(1)), "dsm", collection="s2", taken_at=taken + timedelta(days=1), elsewhere=True)
    monkeypatch.setattr(fields, "MOST_SCENES", len(kept) - 1)
    many = await done(app_client, settings, "crops", [], parameters={"year": 2025, "collection": "s2"})
    assert many["state"] == "failed" and f"more than {len(kept) - 1} scenes" in many["error"] and "fewer years" in many["error"]
    monkeypatch.setattr(fields, "MOST_SCENES", len(kept))
    study = await done(app_client, settings, "crops", [], parameters={"year": 2025, "collection": "s2", "on": "2025-06-01"})
    assert study["state"] == "done", study["error"]
    found = {one["properties"]["parcel"]: one["properties"] for one in (await app_client.get(f"/api/studies/{study['id']}/features")).json()["features"]}
    assert found["e"]["class"] == "summer" and found["w"]["class"] in ("winter", "other") and found["e"]["growth"] == "历史不足" and study["result"]["scenes"] == len(kept)
    short = await done(app_client, settings, "crops", [f"s{kept[0]:03d}", f"s{kept[1]:03d}"], parameters={"year": 2025})
    assert {one["properties"]["class"] for one in (await app_client.get(f"/api/studies/{short['id']}/features")).json()["features"]} == {"unknown"}
    nothing = await done(app_client, settings, "crops", [], parameters={"year": 2020})
    assert nothing["state"] == "failed" and "no scenes of 2020" in nothing["error"]


def test_every_study_says_what_it_takes_and_checks_it() -> None:
    for one in studies.catalogue().values():
        assert one.title and one.takes and one.version and type(one).model_json_schema()["properties"]
        with pytest.raises(studies.InvalidInput, match="nonsense"):
            one.with_parameters({"year": 2026, "nonsense": 1} if one.id == "crops" else {"nonsense": 1})
