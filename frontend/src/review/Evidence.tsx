import { useState } from "react";
import { bestPicture, History, Legality, WhoSaw, Why } from "../alerts/Facts";
import { tenths } from "../alerts/useAlerts";
import type { AlertDetail } from "../api/types";
import { Frame } from "../components/Frame";
import { SeverityMark, SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayTime, fullTime } from "../i18n/time";
import { formatCoordinate } from "../map/coordinates";
import { formatArea, formatLength } from "../map/units";
import { changeView } from "../state/location";
import { CompareButton } from "./CompareButton";

/** Frames of all observations in the order of time, with a scrubber; boxes drawn by us. */
function Player({ alert }: { alert: AlertDetail }) {
  const { t } = useWords();
  const frames = [...alert.observations]
    .sort((a, b) => a.recorded_at.localeCompare(b.recorded_at))
    .flatMap((observation) => observation.evidence.map((sha) => ({ sha, observation })));
  const best = bestPicture(alert);
  const start = Math.max(
    0,
    frames.findIndex((f) => f.sha === best?.sha && f.observation.id === best.observation.id),
  );
  const [at, setAt] = useState(start);
  const frame = frames[Math.min(at, frames.length - 1)];
  if (!frame) return <p className="muted">{t("alerts.noEvidence")}</p>;
  return (
    <div className="player" data-testid="player">
      <Frame key={frame.sha} sha={frame.sha} observation={frame.observation} />
      <div className="player-bar">
        <span className="num">{fullTime(frame.observation.recorded_at)}</span>
        <span className="muted clip">{frame.observation.camera_name ?? frame.observation.source}</span>
        {frames.length > 1 && (
          <>
            <input
              type="range"
              min={0}
              max={frames.length - 1}
              value={Math.min(at, frames.length - 1)}
              aria-label={t("review.frameTime")}
              onChange={(event) => setAt(Number(event.target.value))}
            />
            <span className="muted num">
              {t("review.frames", { at: Math.min(at, frames.length - 1) + 1, all: frames.length })}
            </span>
          </>
        )}
      </div>
    </div>
  );
}

/** All that is known about one alert: picture or comparison, why it fired, legality, history of the place. */
export function Evidence({ alert }: { alert: AlertDetail }) {
  const { t, pick, kind, tongue } = useWords();
  const [copied, setCopied] = useState(false);
  const hasFrames = alert.observations.some((o) => o.evidence.length > 0);
  const copy = () => {
    void navigator.clipboard?.writeText(formatCoordinate(alert.place, "degrees")).then(() => {
      setCopied(true);
      window.setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <article className="evidence" data-testid="evidence">
      <header>
        <h2>
          <SeverityMark severity={alert.severity} /> {pick(alert.title, alert.title_en)}
          {alert.simulated && <SimulatedTag />}
          <span className="evidence-state">{t(`i18n.state.${alert.state}`)}</span>
        </h2>
        <p>{alert.place.name}</p>
        <p className="muted num">
          <button type="button" className="copy" onClick={copy} title={t("review.copyPlace")}>
            {copied ? t("i18n.copied") : formatCoordinate(alert.place, "degrees")}
          </button>
          {" · "}
          {t("alerts.within", { radius: formatLength(alert.place.accuracy_m, tongue) })}
        </p>
        <dl className="evidence-facts">
          <div>
            <dt>{t("alerts.sure")}</dt>
            <dd>
              {t("i18n.ofTen", { n: tenths(alert.probability) })}{" "}
              <small className="muted">{t(`i18n.agreement.${alert.agreement}`)}</small>
            </dd>
          </div>
          <div>
            <dt>{t("alerts.firstSeen")}</dt>
            <dd className="num">{dayTime(alert.first_seen_at)}</dd>
          </div>
          <div>
            <dt>{t("alerts.around")}</dt>
            <dd className="num">
              {alert.households_500m.toLocaleString("en-US")} {t("alerts.households")} ·{" "}
              {alert.buildings_500m.toLocaleString("en-US")} {t("alerts.buildings")}
            </dd>
          </div>
        </dl>
      </header>
      {alert.comparison && (
        <CompareButton of={alert.comparison}>
          {t("review.change", {
            area: formatArea(alert.comparison.area_m2, tongue),
            analysis: kind(alert.comparison.analysis),
          })}
        </CompareButton>
      )}
      {(hasFrames || !alert.comparison) && <Player key={alert.id} alert={alert} />}
      <section>
        <h3>{t("alerts.why")}</h3>
        <Why alert={alert} />
      </section>
      <section>
        <h3>
          {t("alerts.saw")} <span className="muted num">{t("alerts.seen", { n: alert.observation_count })}</span>
        </h3>
        <WhoSaw alert={alert} />
      </section>
      <section>
        <h3>{t("alerts.legality")}</h3>
        <Legality alert={alert} />
      </section>
      <section>
        <h3>{t("alerts.history")}</h3>
        <History alert={alert} onChoose={(selection) => changeView({ selection })} />
      </section>
    </article>
  );
}
