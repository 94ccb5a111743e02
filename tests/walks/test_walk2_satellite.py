"""Walk 2, through real HTTP and a real worker: two scenes from above become patches, alerts that the registers judge, and a case; hostile files leave nothing."""

import io
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import psycopg
import pytest
import rasterio
import shapely
from PIL import Image
from pyproj import Transformer
from rasterio.features import rasterize

from imagery.scenes import evaluation, simulate, tiles
from imagery.scenes.raster import write_geotiff

BOUNDS = (120.555, 36.160, 120.570, 36.172)
WOOD = shapely.box(120.555, 36.160, 120.5625, 36.172)
CUT = shapely.box(120.5570, 36.1650, 120.5605, 36.1670)
SITE = shapely.box(120.5640, 36.1630, 120.5657, 36.1646)
PERMITTED = shapely.box(120.5662, 36.1675, 120.5682, 36.1692)
BANDS = "blue,green,red,nir,swir1,swir2"
METRES = Transformer.from_crs("EPSG:4326", "EPSG:32651", always_xy=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """GeoTIFF bytes of a simulated pair of 10 m: a clear cut in the wood, two building sites on the fields."""
    made = simulate.pair(
        BOUNDS, 10, [("farmland", shapely.box(*BOUNDS)), ("forest", WOOD)], [("clear_cut", CUT), ("construction", SITE), ("construction", PERMITTED)], 5
    )
    folder = tmp_path_factory.mktemp("pair")
    return tuple(
        write_geotiff(folder / name, pixels, made.transform, made.crs, nodata=0).read_bytes() for name, pixels in (("a.tif", made.before), ("b.tif", made.after))
    )


@pytest.fixture
def registers(live, people) -> None:
    """What the city has on record there: a forest compartment, a field of permanent basic farmland, and a field with a building permit."""
    with psycopg.connect(live.settings.database_url) as connection:
        connection.execute(
            """
            INSERT INTO forest_zones (code, name, class, area_ha, region_code, geom)
            VALUES ('LB-1', '北九水 1 林班', 'public_welfare', 90, '370212', ST_Multi(ST_GeomFromText(%s, 4326)))
            """,
            [WOOD.wkt],
        )
        for code, basic, place in (("DK-1", True, SITE), ("DK-2", False, PERMITTED)):
            connection.execute(
                """
                INSERT INTO parcels (code, category, basic_farmland, area_m2, region_code, geom)
                VALUES (%s, 'farmland', %s, 40000, '370212', ST_Multi(ST_GeomFromText(%s, 4326)))
                """,
                [code, basic, place.buffer(0.0003, join_style="mitre").wkt],
            )
        connection.execute(
            """
            INSERT INTO permits (number, kind, parcel_id, valid)
            SELECT '建字第 2026-018 号', 'construction', id, daterange('2026-01-01', '2028-01-01') FROM parcels WHERE code = 'DK-2'
            """
        )


def upload(client: httpx.Client, content: bytes, scene_id: str, at: str, bands: str = BANDS, **more: str) -> httpx.Response:
    data = {"datetime": at, "bands": bands, "id": scene_id, "collection": "uploads", **more}
    return client.post("/api/scenes", files={"file": (f"{scene_id}.tif", content, "image/tiff")}, data=data, timeout=120)


def surveyed(client: httpx.Client, analysis: str, seconds: float = 90.0) -> dict:
    """Asks for a survey of the pair, twice, and gives it once the worker has done it."""
    body = {"analysis": analysis, "before": "before", "after": "after"}
    asked = client.post("/api/surveys", json=body)
    assert asked.status_code == 202, asked.text
    again = client.post("/api/surveys", json=body)
    assert (again.status_code, again.json()["id"]) == (200, asked.json()["id"])

    def ended() -> dict | None:
        now = client.get(f"/api/surveys/{asked.json()['id']}").json()
        return now if now["state"] not in ("queued", "running") else None

    done = until(ended, seconds)
    assert (done["state"], done["progress"], done["error"]) == ("done", 1, None), done
    later = client.post("/api/surveys", json=body)
    assert (later.status_code, later.json()["id"], later.json()["state"]) == (200, done["id"], "done")
    return done


def until(check, seconds: float = 30.0):
    """Asks again until the answer is true; what it was then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come true within {seconds} s")


def patches(client: httpx.Client, survey: dict) -> list[shapely.Geometry]:
    found = client.get("/api/patches", params={"survey": survey["id"]}).json()["features"]
    assert len(found) == survey["result"]["patches"]
    return [shapely.geometry.shape(patch["geometry"]) for patch in found]


def overlap(found: list[shapely.Geometry], truth: list[shapely.Geometry]) -> dict[str, float]:
    """Precision, recall and IoU by area (metres of UTM 51N)."""
    one, other = (shapely.transform(shapely.union_all(geoms), METRES.transform, interleaved=False) for geoms in (found, truth))
    both = one.intersection(other).area
    return {"precision": both / one.area, "recall": both / other.area, "iou": both / one.union(other).area}


def alert_at(client: httpx.Client, kind: str, place: shapely.Geometry) -> dict:
    """The alert of a kind inside a place, once the registers have been asked about it."""

    def known() -> dict | None:
        for item in client.get("/api/alerts", params={"kind": kind, "limit": 100}).json()["items"]:
            if place.contains(shapely.Point(item["place"]["lon"], item["place"]["lat"])):
                detail = client.get(f"/api/alerts/{item['id']}").json()
                return detail if detail["legality"] else None
        return None

    return until(known)


def test_two_scenes_become_patches_alerts_and_a_case(live, registers, files):
    client, desk, elsewhere = live.login("shuju"), live.login("guotu"), live.login("shinan")
    for content, scene, at in zip(files, ("before", "after"), ("2026-05-03T10:45:00+08:00", "2026-09-15T10:45:00+08:00"), strict=True):
        made = upload(client, content, scene, at)
        assert made.status_code == 201 and made.json()["properties"]["hdq:region_code"] == "370212", made.text

    losses, sites = surveyed(client, "vegetation_loss"), surveyed(client, "built_up")
    loss, built = overlap(patches(client, losses), [CUT, SITE, PERMITTED]), overlap(patches(client, sites), [SITE, PERMITTED])
    print(f"vegetation_loss {loss}, built_up {built}, seconds {losses['result']['seconds']} and {sites['result']['seconds']}")
    assert min(loss.values()) >= 0.9 and min(built.values()) >= 0.75, (loss, built)

    pictures = []
    for scene in ("before", "after"):
        tile = tiles.WEB_MERCATOR.tile(CUT.centroid.x, CUT.centroid.y, 14)
        answer = desk.get(f"/rasters/{scene}/14/{tile.x}/{tile.y}.png")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        pictures.append(np.array(Image.open(io.BytesIO(answer.content)).convert("RGBA")))
        assert pictures[-1].shape == (256, 256, 4) and (pictures[-1][..., 3] == 255).any()
        assert elsewhere.get(f"/rasters/{scene}/14/{tile.x}/{tile.y}.png").status_code == 404
    assert (pictures[0] != pictures[1]).any()

    cut, unlawful, lawful = alert_at(desk, "vegetation_loss", CUT), alert_at(desk, "construction", SITE), alert_at(desk, "construction", PERMITTED)
    seen = cut["comparison"]
    assert (seen["before_scene"], seen["after_scene"], seen["analysis"]) == ("before", "after", "vegetation_loss")
    assert datetime.fromisoformat(seen["before_at"]) == datetime(2026, 5, 3, 2, 45, tzinfo=UTC) and seen["area_m2"] == pytest.approx(314.6 * 221.9, rel=0.15)
    (zone,) = [line for line in cut["legality"] if line["layer"] == "forest_zones"]
    assert (zone["verdict"], zone["name"]) == ("suspect", "北九水 1 林班") and zone["clause"] and zone["area_m2"] == pytest.approx(seen["area_m2"], rel=0.05)
    farm, shop = ([line for line in found["legality"] if line["layer"] == "parcels"] for found in (unlawful, lawful))
    assert [(line["name"], line["verdict"]) for line in farm] == [("DK-1", "suspect")]
    assert [(line["name"], line["verdict"]) for line in shop] == [("DK-2", "lawful")] and "2026-018" in shop[0]["text"]
    for sha256 in cut["observations"][0]["evidence"]:
        assert desk.get(f"/api/evidence/{sha256}").status_code == 200
    assert len(cut["observations"][0]["evidence"]) == 2 and elsewhere.get(f"/api/alerts/{cut['id']}").status_code == 404

    judged = desk.post(f"/api/alerts/{cut['id']}/verdict", json={"verdict": "true", "version": cut["version"]})
    assert judged.status_code == 200, judged.text
    case = desk.get(f"/api/cases/{judged.json()['case_id']}").json()
    assert (case["origin"], case["category_code"], case["alert_id"]) == ("patch", "01080", cut["id"]) and case["due_at"]
    with psycopg.connect(live.settings.database_url) as connection:
        doubled = connection.execute("SELECT count(*) - count(DISTINCT (source, source_event_id)) FROM observations").fetchone()
        assert doubled == (0,)
        assert connection.execute("SELECT count(*) FROM surveys").fetchone() == (2,)


def test_the_real_landsat_pair_is_judged_as_its_labels_say(live, people, real_data):
    folder: Path = real_data("satellite/landsat-cn")
    client = live.login("shuju")
    for scene, part, at in (("before", "20000317", "2000-03-17T10:20:00+08:00"), ("after", "20030206", "2003-02-06T10:20:00+08:00")):
        made = upload(client, (folder / f"taizhou_{part}_landsat_b123457.tif").read_bytes(), scene, at, elsewhere="true")
        assert made.status_code == 201, made.text
    done = surveyed(client, "change_vector")
    with psycopg.connect(live.settings.database_url) as connection:
        stored = [live.settings.data_dir / "scenes" / file for (file,) in connection.execute("SELECT file FROM scenes ORDER BY taken_at")]
        found = connection.execute("SELECT ST_AsBinary(geom) FROM patches WHERE survey_id = %s", [done["id"]]).fetchall()
    truth = folder / "taizhou_truth_0unk_1unchanged_2changed.tif"
    accuracy = evaluation.change(*stored, truth, "change_vector", tuple(BANDS.split(",")))
    with rasterio.open(truth) as labels:
        known = labels.read(1)
        project = Transformer.from_crs("EPSG:4326", labels.crs, always_xy=True).transform
        drawn = [shapely.transform(shapely.from_wkb(bytes(geom)), project, interleaved=False) for (geom,) in found]
        marked = rasterize(drawn, known.shape, transform=labels.transform) > 0
    hits, wrong, missed = (int(np.count_nonzero(one)) for one in (marked & (known == 2), marked & (known == 1), ~marked & (known == 2)))
    precision, recall = hits / (hits + wrong), hits / (hits + missed)
    print(f"AUC {accuracy.auc:.4f}, patches {len(found)} against the labels: precision {precision:.3f}, recall {recall:.3f}; {done['result']['seconds']} s")
    assert accuracy.auc >= 0.95, accuracy
    assert precision >= 0.8 and recall >= 0.8, (precision, recall)


def test_hostile_files_are_refused_and_leave_nothing(live, people, files, tmp_path):
    client = live.login("shuju")
    inner = tmp_path / "inner.tif"
    inner.write_bytes(files[0])
    vrt = f"""<VRTDataset rasterXSize="32" rasterYSize="32"><SRS>EPSG:32651</SRS><GeoTransform>240000, 10, 0, 4006000, 0, -10</GeoTransform>
        <VRTRasterBand dataType="UInt16" band="1"><SimpleSource><SourceFilename relativeToVRT="0">{inner}</SourceFilename><SourceBand>1</SourceBand>
        </SimpleSource></VRTRasterBand></VRTDataset>"""
    for content, status, says in ((files[0][: len(files[0]) // 2], 422, "damaged"), (files[0][:6], 422, ""), (vrt.encode(), 415, "not a GeoTIFF"), (b"", 415, "")):
        answer = upload(client, content, "hostile", "2026-09-15T10:45:00+08:00", bands="")
        assert answer.status_code == status and says in answer.text, answer.text
        assert answer.headers["content-type"].startswith("application/problem+json") and answer.json()["remedy"]
        assert str(live.settings.data_dir) not in answer.text
    assert list((live.settings.data_dir / "scenes").iterdir()) == []
    assert client.get("/api/scenes").json()["features"] == []
    with psycopg.connect(live.settings.database_url) as connection:
        assert connection.execute("SELECT (SELECT count(*) FROM scenes), (SELECT count(*) FROM events WHERE kind LIKE 'scene.%')").fetchone() == (0, 0)
    assert upload(client, files[0], "hostile", "2026-09-15T10:45:00+08:00").status_code == 201
