"""Every kind that an analysis, a rule or a detector can produce has words wherever kinds are shown: a new one that nobody named fails here."""

import re

import pytest

from grid.sensing import reasons, rules
from grid.settings import ROOT
from imagery.cameras import detectors
from imagery.scenes import analyses
from layers.catalog.patches import KIND

CLIENT = ROOT / "frontend" / "src" / "i18n" / "words.ts"
CHANGES = {one.kind for one in analyses.catalogue().values()}
ALERTS = {rule.kind for rule in rules.every().values()}
FINDINGS = {kind for rule in rules.every().values() for kind in rule.kinds}
SEEN = {name for one in detectors.detectors().values() for name in (*one.kinds, *one.kinds.values())}


def client_words() -> list[dict[str, str]]:
    """The client's words of kinds, zh then en."""
    blocks = re.findall(r"^    kinds: \{\n(.*?)^    \},$", CLIENT.read_text("utf-8"), re.M | re.S)
    return [dict(re.findall(r'^      (\w+): "(.+)",$', block, re.M)) for block in blocks]


@pytest.mark.parametrize("side", [0, 1], ids=["zh", "en"])
def test_the_client_has_words_for_every_kind_analysis_and_class(side: int):
    words = client_words()[side]
    shown = CHANGES | ALERTS | FINDINGS | {name.lower() for name in SEEN} | set(analyses.catalogue())
    assert sorted(shown - set(words)) == []


def test_the_map_and_the_reasons_have_words_for_every_kind():
    assert sorted(CHANGES - {value for value, *_ in KIND.entries}) == []
    assert sorted((CHANGES | FINDINGS) - set(reasons.KINDS)) == []
