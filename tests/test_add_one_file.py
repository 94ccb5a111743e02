"""One file adds something: dropped into the scanned folder it is found, served, run and judged, and no other file is touched."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import shapely

from grid.database import Scope, connect, rows
from grid.sensing import alerts, fusion, intake, rules
from grid.sensing.observations import Finding

RULE = '''
"""A stall in the way: merges within 30 m and one hour."""

from datetime import UTC, datetime, timedelta

from grid.sensing import gates
from grid.sensing.rule import Example, Rule, Signal

_T = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
_STALL = Signal("stall", _T, 120.38, 36.07, score=0.9, accuracy_m=5.0)

RULE = Rule(
    id="stall",
    version="0.1",
    kind="stall",
    kinds=("stall",),
    title="占道摊位",
    title_en="Stall in the way",
    category_code="05001",
    merge_m=30.0,
    merge_s=3600.0,
    gate=gates.scores(least_median=0.7, least_each=0.5),
    severity=gates.steady(4),
    examples=(
        Example("clear", _STALL, "opens"),
        Example("faint", Signal("stall", _T, 120.38, 36.07, score=0.3), "does not open"),
        Example("again", Signal("stall", _T + timedelta(minutes=5), 120.3801, 36.07, score=0.8), "extends", (_STALL,)),
    ),
)
'''


class TestRule:
    """A rule: found beside the product's own, proves its table, listed by GET /api/rules, and opens and extends alerts."""

    @staticmethod
    def discovered(folder: Path) -> dict:
        (folder / "stall.py").write_text(RULE)
        return rules.discover(Path(rules.__file__).parent, folder)

    def test_is_found_and_proves_its_table(self, tmp_path: Path) -> None:
        found = self.discovered(tmp_path)
        assert set(found) == set(rules.every()) | {"stall"}
        assert [found["stall"].judge(e.earlier, e.then) for e in found["stall"].examples] == ["opens", "does not open", "extends"]

    async def test_is_served_and_judges(self, tmp_path: Path, app_client: httpx.AsyncClient, login, database_url: str, monkeypatch) -> None:
        found = self.discovered(tmp_path)
        monkeypatch.setattr(rules, "every", lambda: found)
        await login(app_client, "linye")
        listed = {rule["id"]: rule for rule in (await app_client.get("/api/rules")).json()}
        assert listed["stall"]["title"] == "占道摊位" and len(listed["stall"]["examples"]) == 3
        spots = {"sure": (120.38, 0.9), "faint": (120.39, 0.3), "beside": (120.3801, 0.8)}
        connection = await connect(database_url)
        try:
            for name, (lon, score) in spots.items():
                finding = Finding("test", name, "camera", "stall", score, datetime.now(UTC), shapely.Point(lon, 36.07), 5.0)
                await intake.accept(connection, [finding])
                await fusion.fuse(connection)
            await connection.commit()
            (alert,), total = await alerts.page(connection, Scope("3702"), alerts.Filters())
            held = await rows(connection, "SELECT source_event_id FROM observations WHERE alert_id IS NULL")
        finally:
            await connection.close()
        assert total == 1 and (alert.rule_id, alert.rule_version, alert.observation_count, alert.severity) == ("stall", "0.1", 2, 4)
        assert [row["source_event_id"] for row in held] == ["faint"]
        shown = (await app_client.get(f"/api/alerts/{alert.id}")).json()
        assert shown["title"] == "占道摊位" and shown["kind"] == "stall"
