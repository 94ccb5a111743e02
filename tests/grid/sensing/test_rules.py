"""Every rule proves its own tables; the folder refuses what is no rule."""

from dataclasses import replace
from pathlib import Path

import pytest

from grid.sensing import rules
from grid.sensing.rule import Example, Rule, Signal, Tally

EXAMPLES = [(rule, example) for rule in rules.every().values() for example in rule.examples]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[f"{rule.id}: {example.name}" for rule, example in EXAMPLES])
def test_table(rule: Rule, example: Example):
    assert rule.judge(example.earlier, example.then) == example.expect


@pytest.mark.parametrize("rule", rules.every().values(), ids=lambda rule: rule.id)
def test_severity_and_reasons(rule: Rule):
    """Every severity is 1–4, never worse with less certainty, and every gate says why in both languages."""
    signal = rule.examples[0].then
    grades = [rule.severity(Tally(p, "nominal", (signal,))) for p in (0.05, 0.3, 0.55, 0.75, 0.99)]
    assert all(1 <= g <= 4 for g in grades) and grades == sorted(grades, reverse=True)
    for example in rule.examples:
        for reason in rule.gate([example.then]).reasons:
            assert reason.text and reason.text_en


def test_forest_fire_grows_graver_with_agreement_and_risk():
    fire = rules.every()["forest_fire"]
    seen = fire.examples[0].then
    assert fire.severity(Tally(0.5, "nominal", (seen,))) == 3
    assert fire.severity(Tally(0.7, "nominal", (seen,))) == 2
    assert fire.severity(Tally(0.7, "nominal", (replace(seen, forest_name="L", fire_risk=5),))) == 1
    assert fire.severity(Tally(0.9, "highest", (seen,))) == 1


def test_the_set_is_frozen():
    with pytest.raises(TypeError):
        rules.every()["x"] = None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nothing_like_this", "cannot be imported: No module named"),
        ("RULE = 3", "exposes no RULE"),
        ("def f(:", "cannot be imported"),
        ("from grid.sensing.rules.street_litter import RULE", "repeats the id 'street_litter'"),
        ("from dataclasses import replace\nfrom grid.sensing.rules.street_litter import RULE as R\nRULE = replace(R, id='litter2')", "claims the kind 'garbage'"),
        ("from dataclasses import replace\nfrom grid.sensing.rules.street_litter import RULE as R\nRULE = replace(R, id='l2', kinds=('x',), examples=())", "examples must show"),
        ("from dataclasses import replace\nfrom grid.sensing.rules.street_litter import RULE as R\nRULE = replace(R, id='L 2')", "is not lower case"),
    ],
)
def test_a_bad_file_stops_the_start_by_name(tmp_path: Path, text: str, says: str):
    (tmp_path / "zz_bad.py").write_text(text)
    with pytest.raises(RuntimeError, match="zz_bad.py") as stopped:
        rules.discover(Path(rules.__file__).parent, tmp_path)
    assert says in str(stopped.value)


def test_a_signal_is_as_uncertain_as_it_says():
    """Slack reaches only as far as the places are uncertain."""
    fire = rules.every()["forest_fire"]
    seen = fire.examples[0].then
    there = (120.656, 36.20)
    assert not fire.near(replace(seen, accuracy_m=20.0), *there, 20.0, seen.recorded_at, seen.recorded_at)
    assert fire.near(replace(seen, accuracy_m=2000.0), *there, 2000.0, seen.recorded_at, seen.recorded_at)
    assert isinstance(seen, Signal)
