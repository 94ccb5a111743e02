import type { AlertDetail, Observation } from "../api/types";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { ageSeconds, dayTime, fullTime } from "../i18n/time";
import { formatAge, formatArea, formatLength } from "../map/units";
import { useNow } from "../state/now";

/** The newest observation with a picture. */
export function bestPicture(alert: AlertDetail): { sha: string; observation: Observation } | null {
  const newest = [...alert.observations].sort((a, b) => b.recorded_at.localeCompare(a.recorded_at));
  for (const observation of newest) {
    const boxed = observation.boxes.find((box) => typeof box.evidence === "string")?.evidence;
    const sha = typeof boxed === "string" ? boxed : observation.evidence[0];
    if (sha) return { sha, observation };
  }
  return null;
}

/** Who saw it: sensor, when, by which model, where within how many metres. */
export function WhoSaw({ alert, most = 99 }: { alert: AlertDetail; most?: number }) {
  const { t, tongue } = useWords();
  return (
    <ul className="who-saw" data-testid="who-saw">
      {alert.observations.slice(0, most).map((o) => (
        <li key={o.id}>
          <span className="who-kind">{t(`i18n.sensor.${o.sensor_kind}`)}</span>
          <span className="who-text">
            <strong>{o.camera_name ?? o.source}</strong>
            {o.simulated && <SimulatedTag />}
            <small className="muted num">
              {dayTime(o.recorded_at)} · {t("alerts.score", { score: o.score.toFixed(2) })} · ±{" "}
              {formatLength(o.accuracy_m, tongue)}
              {o.bearing_deg !== null && ` · ${t("alerts.bearing", { deg: o.bearing_deg.toFixed(1) })}`}
            </small>
          </span>
        </li>
      ))}
    </ul>
  );
}

/** How often each source behind the alert was right of late: near 10 of 10 it can be trusted, near 0 it cries wolf. */
function TrackRecord({ alert }: { alert: AlertDetail }) {
  const { t } = useWords();
  const judged = alert.precision.filter((p) => p.total > 0);
  if (judged.length === 0) return <p className="muted">{t("alerts.noPrecision")}</p>;
  const named = new Map(alert.observations.map((o) => [`camera:${o.camera_id}`, o.camera_name]));
  return (
    <ul className="track-record" data-testid="track-record">
      {judged.map((p) => (
        <li key={`${p.sensor}${p.algorithm}`}>
          <meter min={0} max={p.total} low={p.total / 2} optimum={p.total} value={p.hits} />
          <strong>{t("alerts.precision", { hits: p.hits, total: p.total })}</strong>
          <small className="muted">
            {named.get(p.sensor) ?? p.sensor} · {p.algorithm}
          </small>
        </li>
      ))}
    </ul>
  );
}

/** A camera's model says its own name, which is often that of the algorithm: `smoke-fire / 1.1`; a satellite's is a version: `C2`. */
export function modelName(algorithm: string, version: string): string {
  return version.startsWith(`${algorithm} `) ? version : `${algorithm} ${version}`;
}

/** Why this fired: the rule's sentences, the model with its hash, and how often this source was right. */
export function Why({ alert }: { alert: AlertDetail }) {
  const { t, pick, tongue } = useWords();
  const models = new Map(
    alert.observations.filter((o) => o.algorithm !== "").map((o) => [`${o.algorithm}${o.model_hash}`, o]),
  );
  return (
    <div className="why" data-testid="why">
      <TrackRecord alert={alert} />
      <ul className="plain-list">
        {alert.reasons.map((reason, i) => (
          <li key={i}>{pick(reason.text, reason.text_en)}</li>
        ))}
      </ul>
      <p className="muted small">{t("alerts.rule", { id: alert.rule_id, version: alert.rule_version })}</p>
      {[...models.values()].map((o) => (
        <p key={o.id} className="muted small">
          {t("alerts.model", { name: modelName(o.algorithm, o.model_version) })}
          {o.model_hash && (
            <span className="num" title={o.model_hash}>
              {" · "}
              {t("alerts.hash", { hash: o.model_hash.slice(0, 12) })}
            </span>
          )}
          {" · "}
          {t("alerts.received", { age: formatAge(ageSeconds(o.recorded_at, Date.parse(o.received_at)), tongue) })}
        </p>
      ))}
    </div>
  );
}

/** The registers are read by a job that follows the alert; within this time an empty list may mean: not read yet. */
const CHECKING_S = 30;

/** True while nothing found may still mean that nobody has looked. */
export function stillChecking(alert: Pick<AlertDetail, "legality" | "opened_at">, now: number): boolean {
  return alert.legality.length === 0 && ageSeconds(alert.opened_at, now) < CHECKING_S;
}

/** No line from the registers: not read yet, or nothing there. */
function NoLegality({ alert }: { alert: AlertDetail }) {
  const { t } = useWords();
  const checking = stillChecking(alert, useNow());
  return (
    <p className="muted" data-testid={checking ? "legality-checking" : "legality-none"}>
      {t(checking ? "alerts.checkingLegality" : "alerts.noLegality")}
    </p>
  );
}

/** What the registers say about the place. */
export function Legality({ alert }: { alert: AlertDetail }) {
  return alert.legality.length === 0 ? <NoLegality alert={alert} /> : <LegalityLines lines={alert.legality} />;
}

/** A line for each register: verdict, clause, area and the version that decided; a verdict that turned says so. */
export function LegalityLines({ lines }: { lines: AlertDetail["legality"] }) {
  const { t, pick, tongue } = useWords();
  return (
    <ul className="legality" data-testid="legality">
      {lines.map((line, i) => (
        <li key={i} className={`legal-${line.verdict}`}>
          <span className="legal-verdict">
            {t(`alerts.legal.${line.verdict}`)}
            {line.flipped_from && <small className="legal-flip">{t("alerts.flipped")}</small>}
          </span>
          <span>
            {pick(line.text, line.text_en)}
            <small className="muted">
              {[
                line.name,
                line.clause,
                line.area_m2 ? formatArea(line.area_m2, tongue) : "",
                line.version ? t("alerts.version", { n: line.version }) : "",
              ]
                .filter(Boolean)
                .join(" · ")}
            </small>
          </span>
        </li>
      ))}
    </ul>
  );
}

function word(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** What happened here before. */
export function History({ alert, onChoose }: { alert: AlertDetail; onChoose?: (selection: string) => void }) {
  const { t } = useWords();
  if (alert.history.length === 0) return <p className="muted">{t("alerts.noHistory")}</p>;
  return (
    <ul className="history" data-testid="history">
      {alert.history.map((entry) => {
        const key = `${word(entry.type)}:${word(entry.id)}`;
        return (
          <li key={key}>
            <button type="button" onClick={() => onChoose?.(key)}>
              <time className="num muted" title={fullTime(word(entry.at))}>
                {dayTime(word(entry.at))}
              </time>
              <span className="clip">{word(entry.title)}</span>
              <span className="muted">{word(entry.state_name) || word(entry.state)}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
