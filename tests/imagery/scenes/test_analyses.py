"""Every analysis in the folder runs its own example; one file more is one analysis more."""

import sys
from pathlib import Path

import numpy as np
import pytest

from grid.errors import InvalidInput, NotFound, Unavailable
from imagery.scenes import analyses
from imagery.scenes.accuracy import judge
from imagery.scenes.analyses import Analysis, BrokenAnalysis, index
from imagery.scenes.analyses.burn import Burn

EVERY = list(analyses.catalogue().values())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder that is scanned beside the real one."""
    monkeypatch.setattr(analyses, "__path__", [*analyses.__path__, str(tmp_path)])
    analyses.catalogue.cache_clear()
    yield tmp_path
    analyses.catalogue.cache_clear()
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(f"{analyses.__name__}.{file.stem}", None)


@pytest.mark.parametrize("analysis", EVERY, ids=lambda analysis: analysis.id)
def test_an_analysis_finds_its_own_example(analysis: Analysis) -> None:
    if analysis.missing():
        pytest.skip(f"{analysis.id} needs {analysis.missing()}")
    example = analysis.example()
    finding = analysis.examine(example.before, example.after, example.valid)
    assert finding.score.dtype == np.float32 and finding.mask.dtype == bool
    assert finding.score.shape == finding.mask.shape == example.truth.shape
    accuracy = judge(finding.score, finding.mask, example.truth, ~example.truth)
    assert accuracy.auc >= 0.99 and accuracy.iou >= 0.85, accuracy


@pytest.mark.parametrize("analysis", EVERY, ids=lambda analysis: analysis.id)
def test_an_analysis_says_nothing_where_it_cannot_see(analysis: Analysis) -> None:
    example = analysis.example()
    valid = example.valid.copy()
    valid[18:25] = False
    before, after = example.before * valid, example.after * valid
    finding = analysis.examine(before, after, valid)
    assert np.isnan(finding.score[~valid]).all() and not finding.mask[~valid].any()
    whole = judge(finding.score, finding.mask, example.truth & valid, ~example.truth & valid)
    assert whole.auc >= 0.98, whole


@pytest.mark.parametrize("analysis", EVERY, ids=lambda analysis: analysis.id)
def test_nothing_changed_is_nothing_found(analysis: Analysis) -> None:
    example = analysis.example()
    quiet = np.where(example.truth, example.before, example.after)
    assert analysis.examine(example.before, quiet, example.valid).mask.mean() < 0.01


@pytest.mark.parametrize("analysis", EVERY, ids=lambda analysis: analysis.id)
def test_an_analysis_describes_itself(analysis: Analysis) -> None:
    assert analysis.title and analysis.title_en and analysis.version.count(".") == 2
    for name, field in analysis.model_json_schema()["properties"].items():
        assert field["title"] and "default" in field, name
        if field["type"] == "boolean":
            continue
        assert field["unit"], name
        assert {"minimum", "exclusiveMinimum"} & field.keys() and {"maximum", "exclusiveMaximum"} & field.keys(), name
    assert analysis.confidence(analysis.threshold) == pytest.approx(0.5)
    assert analysis.confidence(2 * analysis.threshold) == pytest.approx(0.75)


@pytest.mark.parametrize("analysis", [one for one in EVERY if one.single], ids=lambda analysis: analysis.id)
def test_a_scene_alone_is_all_new_and_old_water_is_no_flood(analysis: Analysis) -> None:
    example = analysis.example()
    nothing = np.zeros_like(example.before)
    alone = analysis.examine(nothing, example.after, example.valid)
    assert judge(alone.score, alone.mask, example.truth, ~example.truth).iou >= 0.85
    assert analysis.examine(example.after, example.after, example.valid).mask.mean() < 0.01
    whole = analysis.with_parameters({"new_only": False}).examine(example.after, example.after, example.valid)
    assert judge(whole.score, whole.mask, example.truth, ~example.truth).iou >= 0.85


def test_farmland_that_is_hardly_seen_is_no_growing_season() -> None:
    farmland = analyses.catalogue()["farmland"]
    example = farmland.example()
    valid = np.zeros_like(example.valid)
    valid[:10, :10] = True
    with pytest.raises(InvalidInput, match="only 100 clear pixels"):
        farmland.examine(example.before, example.after, valid)


def test_a_wrong_parameter_is_named() -> None:
    with pytest.raises(InvalidInput, match="'severity' of burn: Input should be less than or equal to 2"):
        Burn().with_parameters({"severity": 7})
    with pytest.raises(InvalidInput, match="'colour'"):
        Burn().with_parameters({"colour": 1})


def test_severity_follows_the_published_table() -> None:
    assert [(Burn().grade(dnbr) or ("", ""))[1] for dnbr in (0.09, 0.1, 0.27, 0.44, 0.66)] == ["", "low", "moderate-low", "moderate-high", "high"]


def test_index_by_hand() -> None:
    assert index(np.float32([4]), np.float32([1]))[0] == pytest.approx(0.6)


NEW = """
from typing import ClassVar
from imagery.scenes.analyses import Finding, settle
from imagery.scenes.analyses.vegetation_loss import VegetationLoss

class Mine(VegetationLoss):
    id: ClassVar[str] = "{id}"
    requires: ClassVar[tuple[str, ...]] = {requires}

ANALYSIS = Mine()
"""


def test_one_file_adds_an_analysis(folder: Path) -> None:
    (folder / "mine.py").write_text(NEW.format(id="mine", requires=()))
    assert "mine" in analyses.catalogue()
    assert analyses.get("mine").title == "植被减少"


def test_a_missing_library_makes_it_unavailable(folder: Path) -> None:
    (folder / "mine.py").write_text(NEW.format(id="mine", requires=("no_such_library",)))
    assert analyses.catalogue()["mine"].missing() == ("no_such_library",)
    with pytest.raises(Unavailable, match="no_such_library"):
        analyses.get("mine")


@pytest.mark.parametrize("source", ["import nothing_of_the_kind", "ANALYSIS = 7", NEW.format(id="burn", requires=())])
def test_a_broken_file_stops_the_start_with_its_name(folder: Path, source: str) -> None:
    (folder / "mine.py").write_text(source)
    with pytest.raises(BrokenAnalysis, match="mine"):
        analyses.catalogue()


def test_an_unknown_analysis_names_the_known() -> None:
    with pytest.raises(NotFound) as caught:
        analyses.get("sorcery")
    assert "burn" in caught.value.remedy


def test_each_parameter_accepts_its_bounds() -> None:
    for analysis in EVERY:
        for name, field in type(analysis).model_fields.items():
            for bound in field.metadata:
                for limit in ("ge", "le"):
                    if hasattr(bound, limit):
                        analysis.with_parameters({name: getattr(bound, limit)})
