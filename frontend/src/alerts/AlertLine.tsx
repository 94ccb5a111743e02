import type { AlertSummary } from "../api/types";
import { SeverityMark, SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { ageSeconds, dayOnly, fullTime } from "../i18n/time";
import { formatAge } from "../map/units";
import { useNow } from "../state/now";
import { isOpen, tenths } from "./useAlerts";
import "./alerts.css";

/** From this age on the date says more than the number of days. */
const OLD_S = 60 * 86_400;

/** How long ago, kept up to date; the full time on hover. */
export function Age({ at }: { at: string }) {
  const { t, tongue } = useWords();
  const now = useNow();
  return (
    <time className="num" dateTime={at} title={fullTime(at)}>
      {ageSeconds(at, now) > OLD_S ? dayOnly(at) : t("i18n.ago", { age: formatAge(ageSeconds(at, now), tongue) })}
    </time>
  );
}

/** One alert in a list: shape, kind, place in words, age, certainty, newest evidence. */
export function AlertLine({
  alert,
  chosen,
  onChoose,
  onHover,
}: {
  alert: AlertSummary;
  chosen: boolean;
  onChoose: (alert: AlertSummary) => void;
  onHover?: (alert: AlertSummary | null) => void;
}) {
  const { t, pick } = useWords();
  return (
    <li
      className="alert-line"
      data-testid={`alert-${alert.id}`}
      data-version={alert.version}
      data-chosen={chosen || undefined}
    >
      <button
        type="button"
        aria-current={chosen ? "true" : undefined}
        onClick={() => onChoose(alert)}
        onPointerEnter={() => onHover?.(alert)}
        onPointerLeave={() => onHover?.(null)}
      >
        <SeverityMark severity={alert.severity} closed={!isOpen(alert)} halo={alert.state === "open"} />
        <span className="alert-text">
          <span className="alert-title">
            <strong className="clip">{pick(alert.title, alert.title_en)}</strong>
            {alert.simulated && <SimulatedTag />}
          </span>
          <span className="muted clip" title={alert.place.name}>
            {alert.place.name}
          </span>
          <span className="alert-facts muted">
            <Age at={alert.last_seen_at} />
            <span>{t("i18n.ofTen", { n: tenths(alert.probability) })}</span>
            <span className="clip">{alert.sensor_kinds.map((kind) => t(`i18n.sensor.${kind}`)).join(" + ")}</span>
            {alert.state !== "open" && <span className="alert-state">{t(`i18n.state.${alert.state}`)}</span>}
          </span>
        </span>
        {alert.thumbnail && (
          <img
            src={`/api/evidence/${alert.thumbnail}`}
            alt=""
            loading="lazy"
            onError={(e) => e.currentTarget.remove()}
          />
        )}
      </button>
    </li>
  );
}
