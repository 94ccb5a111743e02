"""From findings to alerts: what belongs together in space, time and kind opens or extends one alert, and the whole of it is judged again.

One fusion runs at a time (an advisory lock until its transaction ends), so two workers never open two alerts for one fire. A finding that
breaks the judging of its batch is set aside with the error in its row: nothing accepted is lost, and nothing holds up the rest.
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
import shapely
from psycopg import AsyncConnection

from grid import jobs
from grid.database import point, rows
from grid.sensing import alerts, association, audit_stream, calibration, ledger, observations, posterior, reasons, rollout_rows, rules, signals, suppression
from grid.sensing.alerts import Draft
from grid.sensing.intake import IN_FLIGHT
from grid.sensing.likelihood import Sight, Silence
from grid.sensing.observations import Observation
from grid.sensing.rule import Reason, Rule, Signal, Tally
from grid.world import places

ONE_AT_A_TIME = 4_710_202
BATCH = 250
BITE = 40
"""Findings that are not urgent are judged in bites that grow while they are quick: an urgent one that comes in between waits a second, not a flood."""
PATIENCE_S = 0.5
WATCHED = timedelta(minutes=5)
"""A camera is silent once a thing has been seen for so long: sooner it may not have confirmed its own sequence."""
MOST = 500
METRES_PER_DEGREE = 80_000.0
"""Fewer than a degree of longitude has anywhere in China south of 44°N: boxes drawn with it are never too small."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Group:
    """Findings that make one alert: an alert that stands (`alert_id`), or one that is about to open."""

    rule: Rule
    alert_id: int | None = None
    members: list[Observation] = field(default_factory=list)
    seen: list[Signal] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)

    def agrees(self, observation: Observation, signal: Signal) -> bool:
        """Whether what the finding saw can be what the others saw: no camera sees one thing in two directions."""
        if observation.bearing_deg is None or not self.sights:
            return True
        return association.together([*self.sights, signals.sight(observation, signal)])

    def takes(self, observation: Observation, signal: Signal) -> bool:
        """Whether the finding joins those that are about to make an alert."""
        best = min(self.seen, key=lambda s: s.accuracy_m)
        reach = (self.rule.merge_m + self.rule.slack_m) / METRES_PER_DEGREE
        if abs(best.lon - signal.lon) > reach or abs(best.lat - signal.lat) > reach:
            return False
        times = [s.recorded_at for s in self.seen]
        return self.rule.near(signal, best.lon, best.lat, best.accuracy_m, min(times), max(times)) and self.agrees(observation, signal)

    def add(self, observation: Observation, signal: Signal) -> None:
        """Takes the finding in."""
        self.members.append(observation)
        self.seen.append(signal)
        self.sights.append(signals.sight(observation, signal))


async def fuse(connection: AsyncConnection, known: Mapping[str, Rule] | None = None, *, only_urgent: bool = False) -> list[int]:
    """Judges pending observations, urgent kinds first (some 500 or half a second's worth, so that nothing waits long behind a flood) in the caller's transaction; returns the alerts opened and extended, in that order.

    `known`: the rules, by default those of the product. `only_urgent`: leaves the rest alone, so that what may be of severity 1 is committed and told
    before anything else is begun. Opened alerts get an `enrich` job; events are published last.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": ONE_AT_A_TIME})
    owners = {kind: rule for rule in (known or rules.every()).values() for kind in rule.kinds}
    opened: list[int] = []
    extended: list[int] = []
    urgent = [kind for kind, rule in owners.items() if rule.urgent]
    began, judged, bite = time.monotonic(), 0, BITE
    while judged < MOST and (judged == 0 or time.monotonic() - began < PATIENCE_S):
        batch = await observations.pending(connection, BATCH, urgent)
        if not batch and not only_urgent:
            batch = await observations.pending(connection, bite)
        if not batch:
            break
        judged += len(batch)
        bite = min(BATCH, 2 * bite) if time.monotonic() - began < PATIENCE_S / 4 else BITE
        for part in await _survivable(connection, owners, batch):
            opened += part[0]
            extended += [alert_id for alert_id in part[1] if alert_id not in extended]
    extended = [alert_id for alert_id in extended if alert_id not in opened]
    if opened or extended:
        await audit_stream.place(connection, [*opened, *extended])
    await jobs.enqueue_each(connection, "enrich", {f"enrich:{alert_id}": {"alert_id": alert_id} for alert_id in (*opened, *extended)})
    await alerts.announce(connection, "alert.opened", *opened)
    await alerts.announce(connection, "alert.extended", *extended)
    return opened + extended


async def in_flight(connection: AsyncConnection) -> frozenset[str]:
    """Transactions that are accepting findings right now: what they hold cannot be seen yet, and the `fuse` job they found waiting may have run."""
    found = await rows(
        connection,
        """
        SELECT virtualtransaction AS id FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 0 AND objid = %(key)s AND objsubid = 1 AND mode = 'ShareLock' AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        {"key": IN_FLIGHT},
    )
    return frozenset(r["id"] for r in found)


async def _survivable(connection: AsyncConnection, owners: Mapping[str, Rule], batch: list[Observation]) -> list[tuple[list[int], list[int]]]:
    """Judges a batch; should that fail, each finding alone, setting aside the one that fails."""
    try:
        async with connection.transaction():
            return [await _judge(connection, owners, batch)]
    except psycopg.OperationalError:
        raise
    except Exception:
        log.exception("a batch of %d findings failed, judging them one by one", len(batch))
    done = []
    for observation in batch:
        try:
            async with connection.transaction():
                done.append(await _judge(connection, owners, [observation]))
        except psycopg.OperationalError:
            raise
        except Exception as error:
            log.exception("finding %d set aside", observation.id)
            note = {"held": {"text": f"融合出错：{error}"[:300], "text_en": f"fusion failed: {error}"[:300], "error": True}}
            await observations.judged(connection, [(observation.id, None, note)])
    return done


async def _judge(connection: AsyncConnection, owners: Mapping[str, Rule], batch: list[Observation]) -> tuple[list[int], list[int]]:
    ruled = [o for o in batch if o.kind in owners]
    outcomes: list[tuple[int, int | None, dict]] = [
        (o.id, None, {"held": {"text": f"没有规则管辖 {o.kind}", "text_en": f"no rule for {o.kind}"}}) for o in batch if o.kind not in owners
    ]
    suppressed = await suppression.holding(connection, [(o.id, owners[o.kind].kind) for o in ruled])
    outcomes += [(i, None, {"suppressed": {"id": by, "reason": reason}}) for i, (by, reason) in suppressed.items()]
    trials = await rollout_rows.silent(connection, ruled)
    outcomes += [(i, None, note) for i, note in trials.items() if i not in suppressed]
    free = sorted((o for o in ruled if o.id not in suppressed and o.id not in trials), key=lambda o: (o.recorded_at, o.id))
    seen = await signals.of(connection, free)
    standing = await _standing(connection, owners, free, seen)
    known = await _sights(connection, {alert_id for o in free if o.bearing_deg is not None for alert_id in standing.get(o.id, ())})
    earlier = await _earlier(connection, owners, [o for o in free if o.id not in standing or o.bearing_deg is not None], seen)
    groups: list[_Group] = []
    by_alert: dict[int, _Group] = {}
    held: list[tuple[Observation, Signal]] = []
    for observation in free:
        signal, rule = seen[observation.id], owners[observation.kind]
        nearby = (by_alert.get(i) or _Group(rule, i, sights=known.get(i, [])) for i in standing.get(observation.id, ()))
        group = next((g for g in nearby if g.agrees(observation, signal)), None)
        if group is not None and group.alert_id is not None:
            by_alert.setdefault(group.alert_id, group).add(observation, signal)
            continue
        group = next((g for g in (*groups, *by_alert.values()) if g.rule is rule and g.takes(observation, signal)), None)
        if group is not None:
            group.add(observation, signal)
            continue
        opening = _opening(rule, observation, signal, [*earlier.get(observation.id, ()), *held])
        if opening is None:
            held.append((observation, signal))
        else:
            groups.append(opening)
            joined = {o.id for o in opening.members}
            held = [pair for pair in held if pair[0].id not in joined]
    for observation, signal in held:
        why = owners[observation.kind].opens([signal]).reasons
        outcomes.append((observation.id, None, {"held": {"text": "；".join(r.text for r in why), "text_en": "; ".join(r.text_en for r in why)}}))
    extended = sorted(by_alert)
    await _lock(connection, extended)
    changed = [by_alert[alert_id] for alert_id in extended]
    before = await observations.of_alerts(connection, extended, posterior.MOST_OF_ONE)
    drafts = await _drafts(connection, [*groups, *changed], before)
    opened = []
    for group, draft in zip([*groups, *changed], drafts, strict=True):
        members = [o.id for o in group.members]
        if group.alert_id is None:
            group.alert_id = await alerts.open_new(connection, draft, members)
            opened.append(group.alert_id)
        else:
            await alerts.extend(connection, group.alert_id, draft, members)
        outcomes += [(i, group.alert_id, {}) for i in members]
    await observations.judged(connection, outcomes)
    return opened, extended


async def _standing(
    connection: AsyncConnection, owners: Mapping[str, Rule], batch: Sequence[Observation], seen: Mapping[int, Signal]
) -> dict[int, list[int]]:
    """The alerts each observation may belong to, of those that stand: open, acknowledged or confirmed ones, nearest first. One dismissed takes what
    the same kinds of sensor still see for one merge time (or every frame would raise it again); one ended takes what was recorded before its end."""
    found = await rows(
        connection,
        """
        SELECT o.id, a.id AS alert_id, o.kind, ST_X(a.geom) AS lon, ST_Y(a.geom) AS lat, a.accuracy_m, a.first_seen_at, a.last_seen_at
        FROM unnest(%(ids)s::bigint[], %(kinds)s::text[], %(merge_s)s::float8[], %(degrees)s::float8[]) AS k (id, kind, merge_s, degrees)
        JOIN observations o ON o.id = k.id
        JOIN LATERAL (
            SELECT * FROM alerts
            WHERE kind = k.kind AND geom && ST_Expand(o.geom, k.degrees)
              AND o.recorded_at BETWEEN first_seen_at - make_interval(secs => k.merge_s) AND last_seen_at + make_interval(secs => k.merge_s)
              AND (state IN ('open', 'acknowledged', 'confirmed')
                   OR state = 'dismissed' AND o.sensor_kind = ANY(sensor_kinds) AND o.recorded_at <= closed_at + make_interval(secs => k.merge_s)
                   OR state = 'closed' AND o.recorded_at <= closed_at)
            ORDER BY state IN ('dismissed', 'closed'), ST_Distance(geom::geography, o.geom::geography), id LIMIT 8
        ) a ON true
        ORDER BY o.id, a.state IN ('dismissed', 'closed'), ST_Distance(a.geom::geography, o.geom::geography), a.id
        """,
        {
            "ids": [o.id for o in batch],
            "kinds": [owners[o.kind].kind for o in batch],
            "merge_s": [owners[o.kind].merge_s for o in batch],
            "degrees": [(owners[o.kind].merge_m + owners[o.kind].slack_m) / METRES_PER_DEGREE for o in batch],
        },
    )
    near: dict[int, list[int]] = {}
    for r in found:
        if owners[r["kind"]].near(seen[r["id"]], r["lon"], r["lat"], r["accuracy_m"], r["first_seen_at"], r["last_seen_at"]):
            near.setdefault(r["id"], []).append(r["alert_id"])
    return near


async def _sights(connection: AsyncConnection, alert_ids: Collection[int]) -> dict[int, list[Sight]]:
    """What was seen of alerts before."""
    before = await observations.of_alerts(connection, sorted(alert_ids), posterior.MOST_OF_ONE) if alert_ids else {}
    seen = await signals.of(connection, [o for members in before.values() for o in members]) if before else {}
    return {alert_id: [signals.sight(o, seen[o.id]) for o in members] for alert_id, members in before.items()}


async def _earlier(
    connection: AsyncConnection, owners: Mapping[str, Rule], batch: Sequence[Observation], seen: Mapping[int, Signal]
) -> dict[int, list[tuple[Observation, Signal]]]:
    """What opened nothing by itself near those of the batch that open nothing by themselves either, newest first: asked once a rule, not once a finding."""
    found: dict[int, list[Observation]] = {}
    for rule in {owners[o.kind].id: owners[o.kind] for o in batch}.values():
        near = [o.id for o in batch if owners[o.kind] is rule and not rule.opens([seen[o.id]]).opens]
        found |= await observations.loose(connection, near, rule.kinds, rule.merge_m + rule.slack_m, rule.merge_s) if near else {}
    its = await signals.of(connection, list({o.id: o for others in found.values() for o in others}.values())) if found else {}
    return {i: [(o, its[o.id]) for o in others] for i, others in found.items()}


def _opening(rule: Rule, observation: Observation, signal: Signal, others: Sequence[tuple[Observation, Signal]]) -> _Group | None:
    """The alert that this finding opens, alone or with others nearby that opened nothing by themselves; None when it stays below the gate."""
    group = _Group(rule)
    group.add(observation, signal)
    alone = rule.opens(group.seen).opens
    for other, its in others:
        fits = other.kind in rule.kinds and rule.near(its, signal.lon, signal.lat, signal.accuracy_m, signal.recorded_at, signal.recorded_at)
        if fits and group.agrees(other, its):
            group.add(other, its)
    if alone or rule.opens(group.seen).opens:
        return group
    return None


async def _lock(connection: AsyncConnection, alert_ids: Sequence[int]) -> None:
    await connection.execute("SELECT id FROM alerts WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE", {"ids": list(alert_ids)})


async def _drafts(connection: AsyncConnection, groups: Sequence[_Group], before: Mapping[int, list[Observation]]) -> list[Draft]:
    """Judges each group as a whole, with what its alert had before: place, probability, agreement, severity, reasons, name of the place."""
    whole = [sorted((*before.get(g.alert_id or 0, ()), *g.members), key=lambda o: (o.recorded_at, o.id)) for g in groups]
    everything = list({o.id: o for members in whole for o in members}.values())
    seen = await signals.of(connection, everything)
    records = await calibration.records(connection, list({(o.sensor, o.algorithm) for o in everything}))
    silent = [await _silent(connection, members) for members in whole]
    found = [posterior.localise([signals.sight(o, seen[o.id]) for o in members], quiet) for members, quiet in zip(whole, silent, strict=True)]
    located = await places.locate_many(connection, [f.lon for f in found], [f.lat for f in found])
    drafts = []
    for group, members, where, place, quiet in zip(groups, whole, found, located, silent, strict=True):
        tally = Tally(where.probability, reasons.agreement(members), tuple(seen[o.id] for o in members))
        late_after = max(reasons.LATE, timedelta(seconds=group.rule.merge_s))
        late = all(o.received_at - o.recorded_at > late_after for o in members)
        severity = group.rule.severity(tally)
        drafts.append(
            Draft(
                kind=group.rule.kind,
                title=group.rule.title,
                title_en=group.rule.title_en,
                severity=max(severity, 3) if late else severity,
                agreement=tally.agreement,
                sensor_kinds=tuple(sorted({o.sensor_kind for o in members})),
                probability=where.probability,
                rule_id=group.rule.id,
                rule_version=group.rule.version,
                reasons=(*reasons.lines(members, where, group.rule.gate(tally.signals).reasons, records, late_after), *_moved(members, where), *_unseen(quiet)),
                place_name=place.name,
                region_code=place.region_code,
                cell_code=place.cell_code,
                accuracy_m=where.accuracy_m,
                geom=point(where.lon, where.lat),
                region50=where.region50,
                region90=where.region90,
            )
        )
    return drafts


async def _silent(connection: AsyncConnection, members: Sequence[Observation]) -> list[Silence]:
    """Cameras that ran the same algorithms over the place for as long as the thing has been seen, and reported nothing."""
    algorithms = sorted({o.algorithm for o in members if o.sensor_kind == "camera" and o.algorithm})
    first, last = min(o.recorded_at for o in members), max(o.recorded_at for o in members)
    if not algorithms or last - first < WATCHED:
        return []
    return await ledger.silences(connection, shapely.MultiPoint([o.geom for o in members]).envelope, first, last, algorithms)


def _unseen(silent: Sequence[Silence]) -> list[Reason]:
    """That others looked there and reported nothing."""
    if not silent:
        return []
    return [Reason(f"另有 {len(silent)} 台摄像机在看这里而未报", f"{len(silent)} more cameras looked there and reported nothing", len(silent))]


def _moved(members: Sequence[Observation], where: posterior.Posterior) -> list[Reason]:
    """Which source moved the place: the one that shrank its area most, where it at least halved it."""
    if not where.moved or where.moved[0].times < 2.0:
        return []
    most = where.moved[0]
    name = next((o.camera_name for o in members if o.sensor == most.sensor and o.camera_name), most.sensor)
    return [
        Reason(
            f"位置主要由{name}确定：移动了 {most.metres:,.0f} 米，范围缩小到 1/{most.times:,.0f}",
            f"{name} settled the place: moved it by {most.metres:,.0f} m, made its area {most.times:,.0f} times smaller",
            round(most.metres, 1),
        )
    ]
