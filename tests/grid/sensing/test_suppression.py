"""A planned burn is kept and opens nothing, until it ends or is lifted."""

from datetime import UTC, datetime, timedelta

import pytest
import shapely

from grid.database import Scope, row, rows
from grid.errors import InvalidInput, NotFound
from grid.sensing import fusion, intake, suppression

LAOSHAN = Scope("370212")
AREA = shapely.box(120.60, 36.18, 120.64, 36.22)


@pytest.fixture
async def staff(world):
    cursor = await world.execute(
        "INSERT INTO staff (username, name, role, region_code, password_hash) VALUES ('l', '林员', 'inspector', '370212', '') RETURNING id"
    )
    return (await cursor.fetchone())[0]


async def burn(conn, staff, **changes):
    given = {"kind": "forest_fire", "reason": "计划烧除", "expires_at": datetime.now(UTC) + timedelta(hours=6), "area": AREA}
    return await suppression.create(conn, LAOSHAN, staff, **{**given, **changes})


async def test_inside_is_kept_with_the_reason(world, staff, finding):
    made = await burn(world, staff)
    assert made.active and made.region_code == "370212001001" and made.created_by_name == "林员"
    await intake.accept(world, [finding(120.62, 36.2, camera_id=1), finding(120.62, 36.2, kind="garbage"), finding(120.75, 36.2, camera_id=1)])
    assert len(await fusion.fuse(world)) == 2
    held = await row(world, "SELECT properties, fused_at FROM observations WHERE alert_id IS NULL")
    assert held["properties"]["suppressed"] == {"id": made.id, "reason": "计划烧除"} and held["fused_at"]
    assert (await suppression.page(world, LAOSHAN))[0].held == 1


async def test_lifted_judges_again(world, staff, finding):
    made = await burn(world, staff)
    await intake.accept(world, [finding(120.62, 36.2, camera_id=1)])
    assert await fusion.fuse(world) == []
    lifted = await suppression.lift(world, LAOSHAN, made.id)
    assert not lifted.active and await suppression.page(world, LAOSHAN) == []
    assert (await suppression.page(world, LAOSHAN, active=False))[0].id == made.id
    assert len(await fusion.fuse(world)) == 1
    assert "suppressed" not in (await rows(world, "SELECT properties FROM observations"))[0]["properties"]
    again = await suppression.lift(world, LAOSHAN, made.id)
    assert again.expires_at == lifted.expires_at


async def test_expired_holds_nothing(world, staff, finding):
    made = await burn(world, staff)
    await world.execute("UPDATE suppressions SET expires_at = now() - interval '1 minute' WHERE id = %s", (made.id,))
    await intake.accept(world, [finding(120.62, 36.2, camera_id=1)])
    assert len(await fusion.fuse(world)) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reason": "  "}, "原因"),
        ({"expires_at": datetime.now(UTC) - timedelta(minutes=1)}, "一年"),
        ({"expires_at": datetime.now(UTC) + timedelta(days=400)}, "一年"),
        ({"area": shapely.box(120.51, 36.01, 120.89, 36.29)}, "过大"),
        ({"area": shapely.box(120.48, 36.1, 120.52, 36.12)}, "市南区"),
        ({"area": shapely.box(120.3, 36.1, 120.31, 36.12)}, "市南区"),
        ({"area": shapely.MultiPolygon([AREA, shapely.box(120.7, 36.1, 120.71, 36.11)])}, "一个多边形"),
        ({"area": shapely.Polygon([(120.6, 36.2), (120.61, float("nan")), (120.62, 36.2)])}, "NaN"),
    ],
)
async def test_refuses(world, staff, changes, says):
    with pytest.raises(InvalidInput, match=says):
        await burn(world, staff, **changes)


async def test_scope(world, staff):
    made = await burn(world, staff)
    assert await suppression.page(world, Scope("370202")) == []
    with pytest.raises(NotFound):
        await suppression.lift(world, Scope("370202"), made.id)
    assert (await suppression.get(world, Scope("3702"), made.id)).active
