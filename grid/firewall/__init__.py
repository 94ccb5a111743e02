"""The coordinate firewall: judges whether a source lies where its declared frame says, from what is known of the city. Pure functions."""

from grid.firewall.heights import HeightVerdict, judge_heights
from grid.firewall.judge import Finding, Verdict, box, judge
from grid.firewall.readings import Reading, parse, same
from grid.firewall.rulers import Reference, outlines

__all__ = ["Finding", "HeightVerdict", "Reading", "Reference", "Verdict", "box", "judge", "judge_heights", "outlines", "parse", "same"]
