"""Is a change lawful: declarative rules (rules/, one YAML file each) over the registers, as of a day and as known at a time.

`judge` asks, `lines` says it in words, `verdicts` keeps it: stored with history, judged again when a register is corrected.
"""

from grid.casework.legality.judge import Finding, judge
from grid.casework.legality.lines import LegalityLine
from grid.casework.legality.rule import every as rules
from grid.casework.legality.verdicts import context, enrich, flips, rejudge

__all__ = ["Finding", "LegalityLine", "context", "enrich", "flips", "judge", "rejudge", "rules"]
