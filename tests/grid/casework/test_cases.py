"""Cases on the real database: the whole life-cycle, numbers without a hole, nothing lost to a second writer."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from grid.casework import cases, reports
from grid.casework.cases import Filters, Opening, StepTaken
from grid.casework.workflow import Person
from grid.database import Scope, connect, point, row, rows
from grid.errors import Conflict, Forbidden, IllegalStep, InvalidInput, NotFound
from grid.sensing import rules

CITY = Scope("3702")
PHOTO = "a" * 64


@pytest.fixture
async def photo(conn, village):
    await conn.execute(
        "INSERT INTO evidence (sha256, kind, media_type, bytes, region_code) VALUES (%(sha)s, 'photo', 'image/jpeg', 1, '370202001001')", {"sha": PHOTO}
    )
    await conn.commit()
    return PHOTO


def report(**changes) -> reports.Report:
    given = {
        "client_key": uuid4(),
        "category_code": "01002",
        "lon": 120.355,
        "lat": 36.055,
        "accuracy_m": 12.0,
        "recorded_at": datetime.now(UTC) - timedelta(minutes=1),
        "note": "垃圾",
    }
    return reports.Report(**given | changes)


async def test_a_report_walks_to_its_close_and_another_person_verifies(conn, village, photo):
    filed = await reports.file(conn, Scope("370202001001"), village["wangge"], report(evidence=(photo,)))
    desk, handler, other = Person(village["linye"], "inspector"), Person(village["chuzhi"], "grid_worker"), Person(village["wangge"], "grid_worker")
    walk = [
        (desk, StepTaken("file", 1)),
        (desk, StepTaken("dispatch", 2, handler_id=village["chuzhi"])),
        (handler, StepTaken("receive", 3)),
        (handler, StepTaken("start", 4)),
        (handler, StepTaken("handle", 5, evidence=(photo,))),
        (other, StepTaken("fail", 6, note="还有")),
        (handler, StepTaken("handle", 7, evidence=(photo,))),
        (other, StepTaken("pass", 8)),
    ]
    for person, step in walk:
        await cases.take_step(conn, CITY, person, filed.case_id, step)
    case = await cases.get(conn, CITY, filed.case_id)
    assert (case["state"], case["version"], case["rework_count"]) == ("closed", 9, 1)
    assert case["cell_code"] == "370202001001001" and case["number"].startswith("370202") and case["number"].endswith("00001")
    assert case["due_at"] > case["opened_at"] and case["closed_at"] is not None and case["verifier"] == "wangge"
    taken = await cases.steps(conn, filed.case_id)
    assert [step["action"] for step in taken] == ["open"] + [step.action for _, step in walk]
    published = await rows(conn, "SELECT kind FROM events WHERE entity_id = %(id)s AND kind LIKE 'case.%%' ORDER BY id", {"id": str(filed.case_id)})
    assert [event["kind"] for event in published] == ["case.opened"] + ["case.changed"] * 8


async def test_an_illegal_step_a_stale_version_and_a_stranger_change_nothing(conn, village):
    filed = await reports.file(conn, CITY, village["wangge"], report())
    with pytest.raises(IllegalStep):
        await cases.take_step(conn, CITY, Person(village["linye"], "inspector"), filed.case_id, StepTaken("pass", 1))
    with pytest.raises(Conflict):
        await cases.take_step(conn, CITY, Person(village["linye"], "inspector"), filed.case_id, StepTaken("file", 7))
    with pytest.raises(Forbidden):
        await cases.take_step(conn, CITY, Person(village["wangge"], "grid_worker"), filed.case_id, StepTaken("file", 1))
    with pytest.raises(NotFound):
        await cases.take_step(conn, Scope("370212"), Person(village["linye"], "inspector"), filed.case_id, StepTaken("file", 1))
    case = await cases.get(conn, CITY, filed.case_id)
    assert (case["state"], case["version"]) == ("reported", 1)


async def test_the_same_report_arrives_once_even_when_sent_twice_at_once(conn, village, database_url):
    same = report()

    async def send() -> reports.Filed:
        connection = await connect(database_url)
        try:
            async with connection.transaction():
                return await reports.file(connection, CITY, village["wangge"], same)
        finally:
            await connection.close()

    answers = await asyncio.gather(*(send() for _ in range(5)))
    assert len({answer.case_id for answer in answers}) == 1
    assert sorted(answer.repeated for answer in answers) == [False, True, True, True, True]
    counted = await row(
        conn, "SELECT (SELECT count(*) FROM cases) AS cases, (SELECT count(*) FROM reports) AS reports, (SELECT count(*) FROM observations) AS seen"
    )
    assert counted == {"cases": 1, "reports": 1, "seen": 1}
    with pytest.raises(Conflict):
        await reports.file(conn, CITY, village["wangge"], report(client_key=same.client_key, category_code="05001"))


async def test_case_numbers_have_no_hole_and_no_double(conn, village, database_url):
    async def open_one(fails: bool) -> None:
        connection = await connect(database_url)
        try:
            async with connection.transaction(force_rollback=fails):
                await cases.open_case(connection, Opening("01002", "x", "report", point(120.355, 36.055), 5.0, reporter_id=village["wangge"]))
        finally:
            await connection.close()

    await asyncio.gather(*(open_one(fails=i % 3 == 0) for i in range(12)))
    numbers = [int(item["number"][-5:]) for item in await rows(conn, "SELECT number FROM cases ORDER BY number")]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) == 8


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"category_code": "77777"}, "77777"),
        ({"recorded_at": datetime.now(UTC) + timedelta(hours=2)}, "recorded_at"),
        ({"evidence": ("b" * 64,)}, "b" * 64),
        ({"lon": 36.055, "lat": 120.355}, "36.055"),
    ],
)
async def test_a_wrong_report_is_refused_by_name_and_leaves_nothing(conn, village, changes, named):
    with pytest.raises(InvalidInput, match=named):
        async with conn.transaction():
            await reports.file(conn, CITY, village["wangge"], report(**changes))
    assert (await row(conn, "SELECT count(*) AS n FROM cases"))["n"] == 0


async def test_a_report_outside_ones_own_region_is_refused(conn, village):
    with pytest.raises(InvalidInput, match="outside your region"):
        await reports.file(conn, Scope("370202001001"), village["wangge"], report(lon=120.9))


async def test_lists_narrow_by_state_handler_and_lateness(conn, village):
    filed = await reports.file(conn, CITY, village["wangge"], report())
    assert (await cases.page(conn, CITY, Filters("open"), 10, 0))[1] == 1
    assert (await cases.page(conn, CITY, Filters("closed"), 10, 0))[1] == 0
    assert (await cases.page(conn, Scope("370212"), Filters(), 10, 0))[1] == 0
    assert (await cases.page(conn, CITY, Filters(overdue=True), 10, 0))[1] == 0
    await conn.execute("UPDATE cases SET due_at = now() - interval '1 minute' WHERE id = %(id)s", {"id": filed.case_id})
    assert (await cases.page(conn, CITY, Filters(overdue=True), 10, 0))[1] == 1


async def test_every_rule_names_a_category_that_exists(conn):
    known = {item["code"] for item in await rows(conn, "SELECT code FROM categories")}
    assert {rule.id: rule.category_code for rule in rules.every().values() if rule.category_code not in known} == {}


async def test_a_photo_goes_down_to_the_region_of_its_case_and_no_stranger_attaches_it(conn, village, photo):
    await conn.execute("UPDATE evidence SET region_code = '370202' WHERE sha256 = %(sha)s", {"sha": photo})
    filed = await reports.file(conn, CITY, village["wangge"], report(evidence=(photo,)))
    moved = await row(conn, "SELECT region_code FROM evidence WHERE sha256 = %(sha)s", {"sha": photo})
    assert moved["region_code"] == "370202001001"
    await conn.commit()
    await conn.execute("UPDATE evidence SET region_code = '370212' WHERE sha256 = %(sha)s", {"sha": photo})
    with pytest.raises(InvalidInput, match=photo):
        async with conn.transaction():
            step = StepTaken("settle", 1, evidence=(photo,))
            await cases.take_step(conn, Scope("370202001001"), Person(village["wangge"], "grid_worker"), filed.case_id, step)
