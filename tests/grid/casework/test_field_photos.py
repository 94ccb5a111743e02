"""Stored photos against the patch of an alert: buildings and roads come from the database, time from the scenes, the hash from the bytes on disk."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image
from psycopg import AsyncConnection

from grid import evidence
from grid.casework import field_photos
from grid.casework.photo_proof import LevelGround
from grid.database import Scope
from grid.errors import NotFound

SCOPE, GROUND = Scope("3702"), LevelGround()
DEGREE_LAT = 110_990.0
PATCH = shapely.box(120.4, 36.1, 120.4003, 36.1003)
NOW = datetime.now(UTC)


@pytest.fixture
async def alert(conn: AsyncConnection) -> int:
    """An alert whose region is PATCH, seen first a day ago; a 20 m wall of a building 30 m south of it and a road to its east."""
    g = {"p": shapely.set_srid(PATCH.centroid, 4326), "s": shapely.set_srid(shapely.MultiPolygon([PATCH]), 4326), "at": NOW - timedelta(days=1)}
    (alert_id,) = await (
        await conn.execute(
            """
            INSERT INTO alerts (kind, title, title_en, severity, probability, rule_id, rule_version, region_code, accuracy_m, first_seen_at, last_seen_at, geom, region50)
            VALUES ('construction', '变化', 'change', 3, 0.9, 'construction', '1', '370202001001', 10, %(at)s, %(at)s, %(p)s, %(s)s) RETURNING id
            """,
            g,
        )
    ).fetchone()
    south = 36.1 - 30 / DEGREE_LAT
    await conn.execute(
        "INSERT INTO buildings (id, use, height_m, floors, region_code, geom) VALUES (1, 'office', 20, 6, '370202001001', %s)",
        [shapely.set_srid(shapely.box(120.399, south - 0.0001, 120.4013, south), 4326)],
    )
    await conn.execute(
        "INSERT INTO roads (class, speed_kmh, length_m, region_code, geom) VALUES ('residential', 30, 300, '370202', %s)",
        [shapely.set_srid(shapely.LineString([(120.4008, 36.099), (120.4008, 36.102)]), 4326)],
    )
    return alert_id


async def photo(conn: AsyncConnection, folder: Path, north_m: float, azimuth: float | None, *, taken_at: datetime = NOW, region: str = "370202001001", **properties) -> str:
    """A stored photo `north_m` north of the patch's south edge on its middle line."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(abs(hash((north_m, azimuth, taken_at)))).integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(buffer, "PNG")
    place = shapely.set_srid(shapely.Point(120.40015, 36.1 + north_m / DEGREE_LAT), 4326)
    kept = await evidence.store(
        conn, folder, buffer.getvalue(), kind="photo", region_code=region, taken_at=taken_at, place=place, accuracy_m=5.0, azimuth_deg=azimuth, properties=properties
    )
    return kept.sha256


async def test_a_photo_past_no_building_counts_and_one_behind_it_is_told_where_to_stand(conn, alert, tmp_path):
    north = await photo(conn, tmp_path, 120.0, 180.0)
    assert (await field_photos.prove(conn, SCOPE, tmp_path, alert, north, GROUND)).counts
    south = await field_photos.prove(conn, SCOPE, tmp_path, alert, await photo(conn, tmp_path, -120.0, 0.0), GROUND)
    assert (south.counts, south.reason) == (False, "building")
    assert south.stand.lon == pytest.approx(120.4008, abs=2e-6) and south.stand.lat > 36.1 - 30 / DEGREE_LAT
    drone = await photo(conn, tmp_path, -121.0, 0.0, lens_m=110.0)
    assert (await field_photos.prove(conn, SCOPE, tmp_path, alert, drone, GROUND)).counts


async def test_time_hash_and_missing_facts_rule_a_photo_out(conn, alert, tmp_path):
    old = await photo(conn, tmp_path, 120.0, 180.0, taken_at=NOW - timedelta(days=2))
    assert (await field_photos.prove(conn, SCOPE, tmp_path, alert, old, GROUND)).reason == "early"
    swapped = await photo(conn, tmp_path, 119.0, 180.0, captured_sha256="0" * 64)
    assert (await field_photos.prove(conn, SCOPE, tmp_path, alert, swapped, GROUND)).reason == "hash"
    blind = await field_photos.prove(conn, SCOPE, tmp_path, alert, await photo(conn, tmp_path, 118.0, None), GROUND)
    assert blind.reason == "incomplete" and "方位" in blind.text
    damaged = await photo(conn, tmp_path, 117.0, 180.0)
    evidence.path_of(tmp_path, damaged).write_bytes(b"another picture")
    assert (await field_photos.prove(conn, SCOPE, tmp_path, alert, damaged, GROUND)).reason == "hash"


async def test_an_alert_or_a_photo_of_another_region_is_not_found(conn, alert, tmp_path):
    mine, other = await photo(conn, tmp_path, 120.0, 180.0), await photo(conn, tmp_path, 121.0, 180.0, region="370212")
    for scope, sha256 in ((Scope("370212"), mine), (Scope("370202"), other), (SCOPE, "f" * 64)):
        with pytest.raises(NotFound):
            await field_photos.prove(conn, scope, tmp_path, alert, sha256, GROUND)
