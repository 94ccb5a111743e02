import type { Severity } from "../api/types";
import { useWords } from "../i18n";
import "./marks.css";

const SHAPES: Record<Severity, React.ReactNode> = {
  1: <path d="M8 0.8 15.2 8 8 15.2 0.8 8Z" />,
  2: <path d="M8 1.6 15.4 14.4H0.6Z" />,
  3: <circle cx="8" cy="8" r="6.4" />,
  4: <circle cx="8" cy="8" r="5.4" fill="none" strokeWidth="2.4" stroke="currentColor" />,
};

/** The shape and colour of one severity: 1 diamond, 2 triangle, 3 circle, 4 ring. Closed things are grey. */
export function SeverityMark({
  severity,
  closed = false,
  halo = false,
}: {
  severity: Severity;
  closed?: boolean;
  halo?: boolean;
}) {
  const { t } = useWords();
  const classes = [
    "sev-mark",
    closed ? "sev-closed" : `sev-${severity}`,
    halo && severity === 1 && !closed ? "sev-halo" : "",
  ];
  return (
    <svg className={classes.join(" ")} viewBox="0 0 16 16" role="img" aria-label={t(`i18n.severity.${severity}`)}>
      {SHAPES[severity]}
    </svg>
  );
}

/** The small hatched tag that all generated data wears. */
export function SimulatedTag() {
  const { t } = useWords();
  return (
    <span className="sim-tag" title={t("i18n.simulatedHint")} data-testid="simulated">
      {t("i18n.simulated")}
    </span>
  );
}
