"""The seven steps as a table: which step leads from which state to which, who may take it, and what it needs.

GB/T 30428: 信息采集 -> 立案 -> 派遣 -> 处置 -> 反馈 -> 核查结案 -> 评价. Verification is by someone other than the handler.
Pure: no database. The client draws its buttons from `allowed`, the server refuses by `check`: one table for both.
"""

from dataclasses import dataclass

from grid.errors import Forbidden, IllegalStep, InvalidInput

STATES = {
    "reported": ("已上报", "Reported"),
    "rejected": ("不予立案", "Not filed"),
    "filed": ("已立案", "Filed"),
    "dispatched": ("已派遣", "Dispatched"),
    "received": ("已接收", "Received"),
    "handling": ("处置中", "Handling"),
    "returned": ("已回退", "Returned"),
    "suspended": ("已挂起", "Suspended"),
    "handled": ("待核查", "Awaiting verification"),
    "closed": ("已结案", "Closed"),
    "forced_closed": ("强制结案", "Closed by force"),
    "cancelled": ("已作废", "Cancelled"),
}
ENDED = frozenset({"rejected", "closed", "forced_closed", "cancelled"})
OPEN = frozenset(STATES) - ENDED
DESK = frozenset({"inspector", "commander"})


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table. `who`: role (by role), handler (the case's handler), other (role, but not its handler), reporter."""

    action: str
    name: str
    name_en: str
    sources: frozenset[str]
    target: str
    who: str
    roles: frozenset[str]
    needs: tuple[str, ...] = ()


def _step(action: str, name: str, name_en: str, sources: str, target: str, who: str, roles: str | frozenset, *needs: str) -> Step:
    allowed = frozenset(roles.split()) if isinstance(roles, str) else roles
    return Step(action, name, name_en, frozenset(sources.split()), target, who, allowed, needs)


STEPS = {
    step.action: step
    for step in (
        _step("file", "立案", "File", "reported", "filed", "role", DESK),
        _step("reject", "不予立案", "Do not file", "reported", "rejected", "role", DESK, "note"),
        _step("settle", "自行处置", "Settle on the spot", "reported", "handled", "reporter", "grid_worker", "evidence"),
        _step("dispatch", "派遣", "Dispatch", "filed returned", "dispatched", "role", DESK, "handler"),
        _step("receive", "接收", "Receive", "dispatched", "received", "handler", "grid_worker inspector"),
        _step("return", "回退", "Return", "dispatched received", "returned", "handler", "grid_worker inspector", "note"),
        _step("start", "开始处置", "Start handling", "received", "handling", "handler", "grid_worker inspector"),
        _step("handle", "处置完成", "Handled", "received handling", "handled", "handler", "grid_worker inspector", "evidence"),
        _step("suspend", "挂起", "Suspend", "received handling", "suspended", "role", DESK, "note"),
        _step("resume", "恢复", "Resume", "suspended", "handling", "role", DESK),
        _step("pass", "核查通过", "Verified", "handled", "closed", "other", DESK | {"grid_worker"}),
        _step("fail", "核查不通过", "Verification failed", "handled", "handling", "other", DESK | {"grid_worker"}, "note"),
        _step(
            "force_close", "强制结案", "Close by force", "filed dispatched received handling returned suspended handled", "forced_closed",
            "role", "commander", "note",
        ),
        _step("cancel", "作废", "Cancel", "reported filed", "cancelled", "role", DESK, "note"),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Who wants to take a step."""

    id: int
    role: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a case stands: its state, its handler and its reporter (staff ids)."""

    state: str
    handler_id: int | None = None
    reporter_id: int | None = None


def _why_not(step: Step, person: Person, case: Standing) -> str | None:
    if person.role not in step.roles:
        return f"role {person.role} may not {step.action}"
    if step.who == "handler" and person.id != case.handler_id:
        return f"only the handler may {step.action}"
    if step.who == "reporter" and person.id != case.reporter_id:
        return f"only the reporter may {step.action}"
    if step.who == "other" and person.id == case.handler_id:
        return "whoever handled a case may not verify it"
    return None


def allowed(person: Person, case: Standing) -> list[Step]:
    """The steps this person may take now, in the table's order.

    >>> [s.action for s in allowed(Person(1, "commander"), Standing("handled", handler_id=2))]
    ['pass', 'fail', 'force_close']
    >>> allowed(Person(1, "commander"), Standing("closed"))
    []
    """
    return [step for step in STEPS.values() if case.state in step.sources and _why_not(step, person, case) is None]


def check(action: str, person: Person, case: Standing, *, note: str = "", evidence: int = 0, handler_id: int | None = None) -> Step:
    """The step, if it may be taken. Raises InvalidInput (unknown action, something it needs is missing), IllegalStep
    (not from this state, or not by its handler) or Forbidden (not by this role)."""
    step = STEPS.get(action)
    if step is None:
        raise InvalidInput(f"unknown action {action!r}", remedy=f"use one of {', '.join(STEPS)}")
    if case.state not in step.sources:
        names = ", ".join(item.action for item in allowed(person, case)) or "none"
        raise IllegalStep(f"no step {action!r} leads from state {case.state!r}", remedy=f"steps you may take now: {names}", state=case.state)
    if person.role not in step.roles:
        raise Forbidden(_why_not(step, person, case) or "", remedy="ask somebody with the role " + " or ".join(sorted(step.roles)))
    if reason := _why_not(step, person, case):
        raise IllegalStep(reason, remedy="let another person take this step", state=case.state)
    given = {"note": bool(note.strip()), "evidence": evidence > 0, "handler": handler_id is not None}
    for need in step.needs:
        if not given[need]:
            raise InvalidInput(f"step {action!r} needs {need}", remedy=f"send {need} with the step", missing=need)
    return step
