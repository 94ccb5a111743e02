"""The workflow table: what it allows, what it refuses, and that no walk through it breaks its promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.casework.workflow import DESK, ENDED, OPEN, STATES, STEPS, Person, Standing, allowed, check
from grid.errors import Forbidden, IllegalStep, InvalidInput

PEOPLE = [Person(1, "grid_worker"), Person(2, "grid_worker"), Person(3, "inspector"), Person(4, "commander"), Person(5, "auditor")]


def test_every_state_of_the_table_has_a_name_and_every_target_exists():
    assert {step.target for step in STEPS.values()} | {s for step in STEPS.values() for s in step.sources} <= set(STATES)


def test_every_open_state_has_a_way_out_and_ended_states_none():
    for state in OPEN:
        assert any(state in step.sources for step in STEPS.values()), state
    for state in ENDED:
        assert not any(state in step.sources for step in STEPS.values()), state


def test_whoever_handled_a_case_does_not_verify_it():
    case = Standing("handled", handler_id=1, reporter_id=2)
    assert [step.action for step in allowed(PEOPLE[0], case)] == []
    with pytest.raises(IllegalStep, match="may not verify"):
        check("pass", PEOPLE[0], case)
    assert check("pass", PEOPLE[1], case).target == "closed"


def test_a_refusal_says_what_is_missing_and_what_would_do():
    with pytest.raises(IllegalStep) as refused:
        check("pass", PEOPLE[2], Standing("filed"))
    assert "dispatch" in refused.value.remedy and refused.value.extra["state"] == "filed"
    with pytest.raises(InvalidInput) as missing:
        check("dispatch", PEOPLE[2], Standing("filed"))
    assert missing.value.extra["missing"] == "handler"
    with pytest.raises(Forbidden):
        check("dispatch", PEOPLE[4], Standing("filed"), handler_id=1)
    with pytest.raises(InvalidInput, match="unknown action"):
        check("vanish", PEOPLE[2], Standing("filed"))


@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(sorted(STEPS))), max_size=30))
def test_no_walk_closes_a_case_unverified_or_revives_an_ended_one(walk):
    case = Standing("reported", reporter_id=1)
    seen = ["reported"]
    for person, action in walk:
        offered = {step.action for step in allowed(person, case)}
        try:
            step = check(action, person, case, note="x", evidence=1, handler_id=1)
        except (IllegalStep, Forbidden):
            assert action not in offered
            continue
        assert action in offered and case.state not in ENDED
        if step.target == "closed":
            assert case.state == "handled" and person.id != case.handler_id
        if step.target == "forced_closed":
            assert person.role in DESK
        handler = {"dispatch": 1, "settle": person.id}.get(action, case.handler_id)
        case = Standing(step.target, handler, case.reporter_id)
        seen.append(step.target)
    assert seen[-1] in STATES
