"""What must hold of verdicts whatever the registers say: parts add up, frames do not matter, and a correction flips exactly what it touches."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
import shapely
import shapely.ops
from psycopg import AsyncConnection
from pyproj import Transformer
from shapely import affinity

from grid import events
from grid.casework import legality
from grid.database import Scope, connect, rows

DAY = date(2026, 3, 1)
WEST, SOUTH, STEP = 120.35, 36.05, 0.004
ADD_UP = 1e-6


def multi(shape: shapely.Geometry) -> shapely.Geometry:
    return shapely.set_srid(shapely.MultiPolygon([shape]) if shape.geom_type == "Polygon" else shape, 4326)


def blob(dice: np.random.Generator, size_deg: float) -> shapely.Polygon:
    """A ragged polygon somewhere over the registers."""
    turn = np.sort(dice.uniform(0, 2 * np.pi, 17))
    reach = size_deg * dice.uniform(0.5, 1.0, 17)
    ring = shapely.Polygon(np.column_stack([reach * np.cos(turn), 0.8 * reach * np.sin(turn)])).buffer(0)
    ring = max(shapely.get_parts(ring), key=lambda p: p.area)
    return affinity.translate(ring, WEST + dice.uniform(0.004, 0.016), SOUTH + dice.uniform(0.004, 0.016))


@pytest.fixture
async def town(conn: AsyncConnection) -> AsyncConnection:
    """Five by five parcels of alternating category, every third with a permit, and zones of other registers that cut across them."""
    dice = np.random.default_rng(4)
    categories = ("farmland", "orchard", "commercial", "forest", "bare", "green")
    for i in range(25):
        x, y = WEST + STEP * (i % 5), SOUTH + STEP * (i // 5)
        lot = affinity.rotate(shapely.box(x, y, x + 0.95 * STEP, y + 0.95 * STEP), float(dice.uniform(-2, 2)))
        await conn.execute(
            "INSERT INTO parcels (code, category, basic_farmland, area_m2, region_code, geom) VALUES (%s, %s, %s, 1, '370202', %s)",
            [f"P-{i:02d}", categories[i % 6], i % 6 == 0 and i % 4 == 0, multi(lot)],
        )
        if i % 3 == 0:
            await conn.execute(
                "INSERT INTO permits (number, kind, parcel_id, valid) SELECT %s, 'construction', id, '[2025-01-01,2027-01-01)' FROM parcels WHERE code = %s", [f"建 {i}", f"P-{i:02d}"]
            )
    across = (("forest_zones", "class, area_ha", "'scenic', 1"), ("redlines", "class", "'coastal'"), ("planning_zones", "use", "'green'"))
    for k, (table, names, values) in enumerate(across):
        for n in range(2):
            shape = affinity.rotate(shapely.box(WEST, SOUTH + 0.005 * k + 0.008 * n, WEST + 0.02, SOUTH + 0.004 + 0.005 * k + 0.008 * n), 20.0 - 15 * k)
            await conn.execute(
                f"INSERT INTO {table} (code, name, {names}, region_code, geom) VALUES (%s, %s, {values}, '370202', %s)", [f"{table}-{n}", f"{table} {n}", multi(shape)]
            )
    for distance in (100, 200):
        await conn.execute(
            "INSERT INTO setbacks (name, distance_m, clause, region_code, geom) VALUES (%s, %s, '条例', '370202', %s)",
            [f"退缩线 {distance}", distance, multi(shapely.box(WEST, SOUTH, WEST + 0.02, SOUTH + distance / 20000))],
        )
    for name in ("before", "after"):
        await conn.execute(
            """
            INSERT INTO scenes (id, collection, taken_at, file, sha256, bands, region_code, geom)
            VALUES (%s, 'test', '2026-03-01', %s, repeat('a', 64), '[]', '3702', %s)
            """,
            [name, f"{name}.tif", shapely.set_srid(shapely.box(WEST, SOUTH, WEST + 0.02, SOUTH + 0.02), 4326)],
        )
    await conn.execute("INSERT INTO surveys (analysis, analysis_version, before_scene, after_scene, region_code) VALUES ('test', '1', 'before', 'after', '3702')")
    await conn.commit()
    return conn


def totals(findings: list[legality.Finding]) -> dict[tuple[str, str, str], float]:
    """Every area a verdict states: rule, category or 'all', touched or open -> m²."""
    told = {}
    for f in findings:
        told |= {(f.rule.id, "all", "touched"): f.area_m2 or 0.0, (f.rule.id, "all", "open"): f.open_m2 or 0.0}
        for c in f.categories:
            told |= {(f.rule.id, c.category, "touched"): c.area_m2, (f.rule.id, c.category, "open"): c.open_m2}
    return told


@pytest.mark.parametrize("kind", ["construction", "vegetation_loss", "land_change", "smoke"])
@pytest.mark.parametrize("size_deg", [0.0008, 0.006, 0.02])
async def test_the_parts_of_a_split_patch_add_up(town, kind, size_deg):
    dice = np.random.default_rng(int(size_deg * 1e5))
    worst = 0.0
    for _ in range(4):
        whole = blob(dice, size_deg)
        x, y = shapely.get_coordinates(whole.representative_point())[0]
        angle = dice.uniform(0, np.pi)
        knife = shapely.LineString([(x - np.cos(angle), y - np.sin(angle)), (x + np.cos(angle), y + np.sin(angle))])
        parts = [part for part in shapely.get_parts(shapely.ops.split(whole, knife)) if part.area > 0]
        assert len(parts) >= 2
        expected = totals(await legality.judge(town, whole, kind, DAY))
        summed = dict.fromkeys(expected, 0.0)
        for part in parts:
            for key, area in totals(await legality.judge(town, part, kind, DAY)).items():
                summed[key] = summed.get(key, 0.0) + area
        for key, area in summed.items():
            if area > 1.0:
                worst = max(worst, abs(area - expected.get(key, 0.0)) / area)
    print(f"parts of a split patch, {kind}, {size_deg}°: worst relative difference {worst:.2e}")
    assert worst < ADD_UP


@pytest.mark.parametrize("frame", ["EPSG:4490", "EPSG:4528", "EPSG:4549", "EPSG:32651", "EPSG:3857"])
async def test_a_round_trip_through_another_frame_changes_no_verdict(town, frame):
    there, back = Transformer.from_crs("EPSG:4326", frame, always_xy=True), Transformer.from_crs(frame, "EPSG:4326", always_xy=True)
    dice = np.random.default_rng(11)
    worst = 0.0
    for kind in ("construction", "vegetation_loss"):
        for _ in range(6):
            shape = blob(dice, 0.003)
            again = shapely.transform(shapely.transform(shape, there.transform, interleaved=False), back.transform, interleaved=False)
            one, other = [await legality.judge(town, s, kind, DAY) for s in (shape, again)]
            assert [(f.rule.id, f.verdict, f.reason, f.names, f.permits) for f in one] == [(f.rule.id, f.verdict, f.reason, f.names, f.permits) for f in other]
            first, second = totals(one), totals(other)
            worst = max([worst, *(abs(area - second[key]) / area for key, area in first.items() if area > 1.0)])
    print(f"round trip through {frame}: worst relative difference of an area {worst:.2e}")
    assert worst < 1e-6


async def test_areas_are_geodesic_and_not_those_of_web_mercator(town):
    shape = shapely.box(WEST + 0.001, SOUTH + 0.0001, WEST + 0.003, SOUTH + 0.004)
    coast = next(f for f in await legality.judge(town, shape, "construction", DAY) if f.rule.id == "coast_setback")
    mercator = await rows(town, "SELECT ST_Area(ST_Transform(ST_Intersection(geom, %(s)s), 3857)) AS area FROM setbacks ORDER BY distance_m DESC LIMIT 1", {"s": shapely.set_srid(shape, 4326)})
    assert mercator[0]["area"] / coast.area_m2 == pytest.approx(1.53, abs=0.01)


async def alert(conn: AsyncConnection, shape: shapely.Polygon, kind: str = "construction") -> int:
    """An alert on a changed polygon of DAY."""
    place = shapely.set_srid(shape.representative_point(), 4326)
    at = datetime(2026, 3, 1, 4, tzinfo=UTC)
    (alert_id,) = await (
        await conn.execute(
            """
            INSERT INTO alerts (kind, title, title_en, severity, probability, rule_id, rule_version, region_code, accuracy_m, first_seen_at, last_seen_at, geom, region50)
            VALUES (%(kind)s, '变化', 'change', 3, 0.9, 'construction', '1', '370202001001', 10, %(at)s, %(at)s, %(place)s, %(shape)s) RETURNING id
            """,
            {"kind": kind, "at": at, "place": place, "shape": multi(shape)},
        )
    ).fetchone()
    (seen,) = await (
        await conn.execute(
            """
            INSERT INTO observations (source, source_event_id, sensor_kind, kind, score, recorded_at, region_code, accuracy_m, geom, alert_id)
            VALUES ('test', %(n)s, 'satellite', %(kind)s, 0.9, %(at)s, '370202001001', 10, %(place)s, %(alert)s) RETURNING id
            """,
            {"n": str(alert_id), "kind": kind, "at": at, "place": place, "alert": alert_id},
        )
    ).fetchone()
    await conn.execute(
        """
        INSERT INTO patches (survey_id, number, kind, score, area_m2, observation_id, region_code, geom)
        VALUES (%(survey)s, %(alert)s, %(kind)s, 0.9, 1, %(seen)s, '370202', %(shape)s)
        """,
        {"survey": 1, "alert": alert_id, "kind": kind, "seen": seen, "shape": multi(shape)},
    )
    return alert_id


async def verdicts(conn: AsyncConnection) -> dict[tuple[int, str], str]:
    """(alert, rule) -> the verdict in force."""
    return {(r["alert_id"], r["rule_id"]): r["verdict"] for r in await rows(conn, "SELECT alert_id, rule_id, verdict FROM legality_verdicts WHERE superseded_at IS NULL")}


async def work(conn: AsyncConnection) -> list[int]:
    """What the worker does once: looks for corrected registers, then runs the jobs. The alerts judged again."""
    await legality.rejudge(conn)
    await conn.commit()
    due = [r["id"] for r in await rows(conn, "DELETE FROM procrastinate_jobs WHERE task_name = 'enrich' RETURNING (args ->> 'alert_id')::bigint AS id")]
    for alert_id in due:
        await legality.enrich(conn, alert_id)
        await conn.commit()
    return sorted(due)


@pytest.fixture
async def judged(town: AsyncConnection) -> tuple[AsyncConnection, dict[str, int]]:
    """One alert in the middle of every parcel and one across P-02 and P-03, judged and answered. Gives parcel code -> alert."""
    lots = {r["code"]: r["geom"] for r in await rows(town, "SELECT code, geom FROM parcels ORDER BY code")}
    ids = {code: await alert(town, shapely.box(*geom.centroid.buffer(0.0006).bounds)) for code, geom in lots.items()}
    ids["across"] = await alert(town, shapely.box(*lots["P-02"].union(lots["P-03"]).centroid.buffer(0.0009).bounds))
    await town.commit()
    for alert_id in ids.values():
        await legality.enrich(town, alert_id)
    await town.commit()
    await work(town)
    return town, ids


async def permit(conn: AsyncConnection, code: str, kind: str, valid: str) -> None:
    await conn.execute("INSERT INTO permits (number, kind, parcel_id, valid) SELECT %s, %s, id, %s::daterange FROM parcels WHERE code = %s", [f"迟 {code}", kind, valid, code])
    await conn.commit()


async def test_a_late_permit_flips_exactly_the_affected_verdicts(judged):
    conn, ids = judged
    before, last = await verdicts(conn), await events.latest_id(conn)
    (moment,) = await (await conn.execute("SELECT clock_timestamp()")).fetchone()
    await conn.commit()
    await permit(conn, "P-02", "construction", "[2026-02-01,2027-01-01)")
    assert await work(conn) == sorted([ids["P-02"], ids["across"]])
    after = await verdicts(conn)
    turned = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert {alert_id for alert_id, _ in turned} == {ids["P-02"], ids["across"]} and turned[ids["P-02"], "building_permit"] == ("suspect", "lawful")

    bare = {code: {f.rule.id: f.verdict for f in await legality.judge(conn, await shape_of(conn, alert_id), "construction", DAY)} for code, alert_id in ids.items()}
    assert after == {(ids[code], rule): verdict for code, told in bare.items() for rule, verdict in told.items()}
    known = {f.rule.id: f.verdict for f in await legality.judge(conn, await shape_of(conn, ids["P-02"]), "construction", DAY, known_at=moment)}
    assert known == {rule: verdict for (alert_id, rule), verdict in before.items() if alert_id == ids["P-02"]}

    flips = {(f.alert_id, f.rule_id): (f.flipped_from, f.verdict) for f in await legality.flips(conn, Scope("3702"))}
    assert flips == turned and await legality.flips(conn, Scope("370212")) == []
    told = {(int(e.entity_id), e.payload["rule"]): (e.payload["from"], e.payload["to"]) for e in await events.since(conn, last) if e.kind == "legality.flipped"}
    assert told == turned
    (shown,) = await rows(conn, "SELECT legality FROM alerts WHERE id = %(id)s", {"id": ids["P-02"]})
    line = next(entry for entry in shown["legality"] if entry["rule"] == "building_permit")
    assert line["flipped_from"] == "suspect" and "疑似违法" in line["text"]
    (newest,) = await (await conn.execute("SELECT max(id) FROM register_versions WHERE register = 'permits'")).fetchone()
    assert line["version"] == newest


async def shape_of(conn: AsyncConnection, alert_id: int) -> shapely.Geometry:
    return (await rows(conn, "SELECT geom FROM legality_judgements WHERE alert_id = %(id)s", {"id": alert_id}))[0]["geom"]


async def test_judging_again_without_a_correction_writes_nothing(judged):
    conn, ids = judged
    count = await rows(conn, "SELECT count(*) AS n, max(id) AS newest FROM legality_verdicts")
    last = await events.latest_id(conn)
    for alert_id in [*ids.values(), *ids.values()]:
        await legality.enrich(conn, alert_id)
    assert await rows(conn, "SELECT count(*) AS n, max(id) AS newest FROM legality_verdicts") == count and await events.latest_id(conn) == last
    assert await work(conn) == []


@pytest.mark.parametrize("kind, valid", [("construction", "[2026-03-02,2027-01-01)"), ("felling", "[2026-01-01,2027-01-01)")])
async def test_a_permit_of_later_days_or_of_another_kind_flips_nothing(judged, kind, valid):
    conn, ids = judged
    before = await verdicts(conn)
    await permit(conn, "P-02", kind, valid)
    assert await work(conn) == sorted([ids["P-02"], ids["across"]])
    changed = {key for key, verdict in (await verdicts(conn)).items() if verdict != before[key]}
    expected = {(ids[code], "ecological_red_line") for code in ("P-02", "across")} if kind == "felling" else set()
    assert changed <= expected
    assert not any(rule == "building_permit" for _, rule in changed)


async def test_a_permit_withdrawn_flips_back_and_a_corrected_zone_flips_its_own_rule_only(judged):
    conn, ids = judged
    start = await verdicts(conn)
    await permit(conn, "P-02", "construction", "[2026-02-01,2027-01-01)")
    await work(conn)
    await conn.execute("DELETE FROM permits WHERE number = '迟 P-02'")
    await conn.commit()
    await work(conn)
    assert await verdicts(conn) == start
    history = await rows(conn, "SELECT verdict, flipped_from FROM legality_verdicts WHERE alert_id = %(id)s AND rule_id = 'building_permit' ORDER BY id", {"id": ids["P-02"]})
    assert [(h["verdict"], h["flipped_from"]) for h in history] == [("suspect", None), ("lawful", "suspect"), ("suspect", "lawful")]

    await conn.execute("UPDATE redlines SET geom = %s WHERE code = 'redlines-0'", [multi(shapely.box(WEST, SOUTH, WEST + 0.02, SOUTH + 0.02))])
    await conn.commit()
    await work(conn)
    turned = {key for key, verdict in (await verdicts(conn)).items() if verdict != start[key]}
    assert turned and {rule for _, rule in turned} == {"ecological_red_line"}


async def test_a_correction_while_an_alert_is_being_judged_is_not_missed(town, database_url):
    lot = (await rows(town, "SELECT geom FROM parcels WHERE code = 'P-02'"))[0]["geom"]
    alert_id = await alert(town, shapely.box(*lot.centroid.buffer(0.0006).bounds))
    await town.commit()
    await work(town)
    await legality.enrich(town, alert_id)
    other = await connect(database_url)
    try:
        await permit(other, "P-02", "construction", "[2026-02-01,2027-01-01)")
        await other.execute("SET lock_timeout = '200ms'")
        with pytest.raises(Exception, match="lock timeout"):
            await legality.rejudge(other)
        await other.rollback()
        await town.commit()
        assert await work(other) == [alert_id]
        assert (await verdicts(other))[alert_id, "building_permit"] == "lawful"
    finally:
        await other.close()
