"""Findings as lines that people read, one for each rule that has something to say of the place, and one for the registers that hold nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grid.casework.legality.judge import MU_M2, Finding
from grid.casework.legality.registers import REGISTERS, words

MOST_NAMES = 3
VERDICTS = {"lawful": ("合法", "lawful"), "suspect": ("疑似违法", "suspect"), "verify": ("需核实", "to be verified"), "context": ("背景", "context")}
_REASONS = {
    "sliver": ("压盖不足制图精度，须核实边界", "the overlap is within the accuracy of drawing: check the border"),
    "place": ("位置未测成图斑，须现场核实", "the place is not a measured patch: check on site"),
}


@dataclass(frozen=True, slots=True)
class LegalityLine:
    """What one register says: verdict suspect, verify, lawful or context; area in m² (geodesic) of the overlap. `rule`: id of the rule; `version`: of the register
    that decided; `flipped_from`: the verdict that stood before a register was corrected."""

    layer: str
    name: str
    verdict: str
    text: str
    text_en: str
    clause: str = ""
    area_m2: float | None = None
    rule: str = ""
    version: int | None = None
    flipped_from: str | None = None


def compose(findings: Iterable[Finding], flipped: Mapping[str, str] | None = None) -> list[LegalityLine]:
    """The lines of findings. `flipped`: rule id -> the verdict before; a rule that flipped has a line even where nothing is touched any more."""
    flipped = flipped or {}
    findings = list(findings)
    lines = [_line(f, flipped.get(f.rule.id)) for f in findings if f.reason != "no_data" and (f.reason != "untouched" or f.rule.id in flipped)]
    missing = list(dict.fromkeys(f.rule.register for f in findings if f.reason == "no_data" and f.verdict == "verify"))
    if missing:
        titles, titles_en = (tuple(getattr(REGISTERS[name], key) for name in missing) for key in ("title", "title_en"))
        lines.append(
            LegalityLine("registers", "、".join(titles), "verify", f"以下登记尚无数据，无法判断：{'、'.join(titles)}", f"no data yet, nothing can be said: {', '.join(titles_en)}")
        )
    return lines


def _line(finding: Finding, before: str | None) -> LegalityLine:
    rule = finding.rule
    if finding.reason == "untouched":
        said, said_en = f"{rule.title}：未压盖", f"{rule.title_en}: not touched"
    else:
        kinds = [words(rule.register, c.category) for c in finding.categories if c.category]
        zh, en = ("、".join(k[i] for k in kinds) for i in (0, 1))
        reason, reason_en = _REASONS.get(finding.reason, (rule.said.get(finding.reason, ""), rule.said_en.get(finding.reason, "")))
        permits = f"（{'、'.join(finding.permits)}）" if finding.reason == "excused" and finding.permits else ""
        said = f"{rule.title}{f'：{zh}' if zh else ''}，{reason}{permits}{_measure(finding, False)}"
        said_en = f"{rule.title_en}{f': {en}' if en else ''}, {reason_en}{permits}{_measure(finding, True)}"
    if before:
        said, said_en = f"{said}（登记更正前：{VERDICTS[before][0]}）", f"{said_en} (before the register was corrected: {VERDICTS[before][1]})"
    names = finding.names[:MOST_NAMES]
    more = f" +{len(finding.names) - MOST_NAMES}" if len(finding.names) > MOST_NAMES else ""
    return LegalityLine(
        rule.register, "、".join(names) + more, finding.verdict, said, said_en, finding.clause, finding.area_m2, rule.id, finding.versions.get(finding.decided_by), before
    )


def _measure(finding: Finding, english: bool) -> str:
    """The area in mu, and how much of it has no permit where part of it has."""
    if finding.area_m2 is None or finding.reason not in ("open", "excused") or finding.verdict == "context":
        return ""
    mu, bare = finding.area_m2 / MU_M2, (finding.open_m2 or 0.0) / MU_M2
    part = finding.reason == "open" and bare < 0.995 * mu
    if english:
        return f", {mu:.2f} mu" + (f", {bare:.2f} of them without a permit" if part else "")
    return f"，{mu:.2f} 亩" + (f"，其中 {bare:.2f} 亩无许可" if part else "")
