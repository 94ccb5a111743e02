"""Photos that are stored as evidence, against the patch of an alert: what the database knows of the place is gathered, `photo_proof` judges."""

import asyncio
from pathlib import Path

import numpy as np
import shapely
from psycopg import AsyncConnection

from grid import evidence
from grid.casework import photo_proof
from grid.casework.legality.judge import alert_shape
from grid.casework.photo_proof import Ground, Proof, Shot
from grid.database import Scope, row, rows
from grid.errors import NotFound
from grid.sensing import alerts

AROUND_M = 600.0
ROAD_STEP_DEG = 0.0001
MOST_STANDS = 400


async def prove(connection: AsyncConnection, scope: Scope, data_dir: Path, alert_id: int, sha256: str, ground: Ground) -> Proof:
    """Whether a stored photo proves the changed polygons of an alert. Raises NotFound for an alert or a photo outside the scope.

    It must have been taken after the scene before the change (failing scenes: after the alert was first seen) and not later than it was received. Its opening
    stands in `properties` (`fov_deg`, `lens_m` above ground, `azimuth_sigma_deg`, `captured_sha256` as the device took it) where the device told.
    """
    await alerts.get(connection, scope, alert_id)
    about = await alert_shape(connection, alert_id)
    photo = await row(
        connection,
        """
        SELECT taken_at, received_at, accuracy_m, azimuth_deg, properties, geom,
            coalesce((SELECT scenes.taken_at FROM alert_patches JOIN patches ON patches.id = alert_patches.patch_id
                JOIN surveys ON surveys.id = coalesce(patches.first_survey_id, patches.survey_id) JOIN scenes ON scenes.id = surveys.before_scene
                WHERE alert_patches.alert_id = %(alert)s ORDER BY patches.id DESC LIMIT 1), (SELECT first_seen_at FROM alerts WHERE id = %(alert)s)) AS since
        FROM evidence WHERE sha256 = %(sha256)s AND region_code LIKE %(scope)s
        """,
        {"alert": alert_id, "sha256": sha256, "scope": scope.like},
    )
    if photo is None or about is None:
        raise NotFound(f"no evidence {sha256}")
    if missing := [words for words, value in (("位置 · position", photo["geom"]), ("精度 · accuracy", photo["accuracy_m"]), ("方位 · azimuth", photo["azimuth_deg"]), ("时间 · time", photo["taken_at"])) if value is None]:
        zh, en = ("、".join(m.split(" · ")[i] for m in missing) for i in (0, 1))
        return Proof(False, "incomplete", f"照片缺少{zh}", f"the photo lacks {en}", 0.0, 0.0)
    told = photo["properties"]
    shot = Shot(
        photo["geom"].x,
        photo["geom"].y,
        photo["accuracy_m"],
        photo["azimuth_deg"],
        photo["taken_at"],
        str(told.get("captured_sha256", sha256)),
        **{name: float(told[name]) for name in ("fov_deg", "lens_m", "azimuth_sigma_deg") if isinstance(told.get(name), (int, float))},
    )
    polygons, heights, stands = await surroundings(connection, shot, about["place"])
    stored = await asyncio.to_thread(_stored, data_dir, sha256)
    return await asyncio.to_thread(photo_proof.judge, shot, about["place"], photo["since"], photo["received_at"], stored, polygons, heights, ground, stands)


async def surroundings(connection: AsyncConnection, shot: Shot, patch: shapely.Geometry) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Buildings (polygons, heights in m) between a photo and a patch, and points along the roads round the patch (n, 2), None where there is no road.

    Of a photo taken farther than AROUND_M away only the surroundings of the patch are read."""
    found = await rows(
        connection,
        """
        WITH asked AS (
            SELECT ST_Buffer(%(patch)s::geography, %(around)s)::geometry AS near, ST_ConvexHull(ST_Collect(%(patch)s::geometry, %(place)s::geometry)) AS between
        )
        SELECT geom, height_m FROM buildings, asked
        WHERE geom && near AND ST_Intersects(geom, near) OR ST_DWithin(%(patch)s::geography, %(place)s::geography, 2 * %(around)s) AND geom && between AND ST_Intersects(geom, between)
        """,
        {"patch": shapely.set_srid(patch, 4326), "place": shapely.set_srid(shapely.Point(shot.lon, shot.lat), 4326), "around": AROUND_M},
    )
    polygons = np.empty(len(found), dtype=object)
    polygons[:] = [r["geom"] for r in found]
    roads = await rows(
        connection,
        """
        SELECT ST_X(stand.geom) AS lon, ST_Y(stand.geom) AS lat FROM roads, ST_DumpPoints(ST_Segmentize(roads.geom, %(step)s)) AS stand
        WHERE roads.geom && ST_Expand(%(patch)s::geometry, 0.006) AND class NOT IN ('motorway', 'trunk') AND ST_DWithin(roads.geom::geography, %(patch)s::geography, %(reach)s)
            AND ST_DWithin(stand.geom::geography, %(patch)s::geography, %(reach)s)
        ORDER BY stand.geom <-> %(place)s::geometry LIMIT %(most)s
        """,
        {
            "patch": shapely.set_srid(patch, 4326), "place": shapely.set_srid(shapely.Point(shot.lon, shot.lat), 4326),
            "step": ROAD_STEP_DEG, "reach": photo_proof.WALK_M, "most": MOST_STANDS,
        },
    )  # fmt: skip
    return polygons, np.array([r["height_m"] for r in found], np.float64), np.array([(r["lon"], r["lat"]) for r in roads]) if roads else None


def _stored(data_dir: Path, sha256: str) -> str:
    """The hash of the bytes that lie there now; empty when they are gone or no longer match their name."""
    try:
        evidence.read_bytes(data_dir, sha256)
    except NotFound:
        return ""
    return sha256
