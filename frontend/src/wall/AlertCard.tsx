import { useState } from "react";
import { bestPicture, Legality, WhoSaw } from "../alerts/Facts";
import { tenths } from "../alerts/useAlerts";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import type { Reading } from "../api/resource";
import type { AlertDetail } from "../api/types";
import { Frame } from "../components/Frame";
import { Drawn, Skeleton } from "../components/Panel";
import { SeverityMark, SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { formatLength } from "../map/units";
import { changeView, go } from "../state/location";
import { Dispatch } from "./Dispatch";
import type { Command } from "./useCommand";

/** What, where within how many metres, how sure and why, who saw it, evidence, who lives there, and one button. */
export function AlertCard({ reading, command }: { reading: Reading<AlertDetail>; command: Command }) {
  return (
    <aside className="wall-card panel" data-testid="alert-card">
      <Drawn reading={reading} skeleton={<Skeleton rows={6} height="4rem" />}>
        {(alert) => <Card alert={alert} command={command} reload={reading.reload} />}
      </Drawn>
    </aside>
  );
}

function Card({ alert, command, reload }: { alert: AlertDetail; command: Command; reload: () => void }) {
  const { t, pick, tongue, side } = useWords();
  const [problem, setProblem] = useState<Problem | null>(null);
  const picture = bestPicture(alert);
  const acknowledge = async () => {
    try {
      await post(`/alerts/${alert.id}/acknowledge`);
      setProblem(null);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    }
    reload();
  };
  return (
    <>
      <header className="card-head">
        <SeverityMark severity={alert.severity} />
        <h2 className="clip">{pick(alert.title, alert.title_en)}</h2>
        {alert.simulated && <SimulatedTag />}
        <button
          type="button"
          className="btn btn-quiet"
          aria-label={t("i18n.close")}
          onClick={() => changeView({ selection: null })}
        >
          ✕
        </button>
      </header>
      <div className="card-body wall-scroll">
        <p className="card-place">
          {alert.place.name}
          <span className="muted num">
            {t("alerts.within", { radius: formatLength(alert.place.accuracy_m, tongue) })}
          </span>
        </p>
        <dl className="card-figures">
          <div>
            <dt>{t("alerts.sure")}</dt>
            <dd>{t("i18n.ofTen", { n: tenths(alert.probability) })}</dd>
            <small className="muted">{t(`i18n.agreement.${alert.agreement}`)}</small>
          </div>
          <div>
            <dt>{t("alerts.firstSeen")}</dt>
            <dd className="num">{dayTime(alert.first_seen_at)}</dd>
            <small className="muted">{t("alerts.seen", { n: alert.observation_count })}</small>
          </div>
          <div>
            <dt>{t("alerts.around")}</dt>
            <dd className="num">
              {alert.households_500m.toLocaleString("en-US")} <small>{t("alerts.households")}</small>
            </dd>
            <small className="muted num">
              {alert.buildings_500m.toLocaleString("en-US")} {t("alerts.buildings")}
            </small>
          </div>
        </dl>
        {picture ? (
          <Frame sha={picture.sha} observation={picture.observation} />
        ) : (
          <p className="muted">{t("alerts.noEvidence")}</p>
        )}
        <section>
          <h3>{t("alerts.saw")}</h3>
          <WhoSaw alert={alert} most={3} />
        </section>
        <section>
          <h3>{t("alerts.why")}</h3>
          <ul className="plain-list">
            {alert.reasons.slice(0, 4).map((reason, i) => (
              <li key={i}>{pick(reason.text, reason.text_en)}</li>
            ))}
          </ul>
        </section>
        <section>
          <h3>{t("alerts.legality")}</h3>
          <Legality alert={alert} />
        </section>
      </div>
      <footer className="card-foot">
        {problem && (
          <p className="card-problem" role="alert">
            {side(problem.detail)}
          </p>
        )}
        <Dispatch command={command} />
        <div className="card-links">
          {alert.actions.includes("acknowledge") && (
            <button type="button" className="btn" onClick={() => void acknowledge()} data-testid="acknowledge">
              {t("wall.acknowledge")}
            </button>
          )}
          <button type="button" className="btn btn-quiet" onClick={() => go(`/review?s=alert:${alert.id}`)}>
            {t("wall.review")}
          </button>
        </div>
      </footer>
    </>
  );
}
