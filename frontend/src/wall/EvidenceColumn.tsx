import { Age } from "../alerts/AlertLine";
import { bestPicture } from "../alerts/Facts";
import { isOpen, useAlert } from "../alerts/useAlerts";
import type { Reading } from "../api/resource";
import type { AlertPage, AlertSummary } from "../api/types";
import { Frame } from "../components/Frame";
import { Drawn, Empty, Panel, Skeleton } from "../components/Panel";
import { SeverityMark, SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";

function Stream({ alert, onChoose }: { alert: AlertSummary; onChoose: (alert: AlertSummary) => void }) {
  const { pick, t } = useWords();
  const reading = useAlert(String(alert.id));
  return (
    <li>
      <Drawn reading={reading} skeleton={<Skeleton rows={1} height="12rem" />}>
        {(detail) => {
          const picture = bestPicture(detail);
          return picture ? (
            <Frame sha={picture.sha} observation={picture.observation} />
          ) : (
            <p className="muted">{t("alerts.noEvidence")}</p>
          );
        }}
      </Drawn>
      <button type="button" onClick={() => onChoose(alert)}>
        <SeverityMark severity={alert.severity} />
        <strong className="clip">{pick(alert.title, alert.title_en)}</strong>
        {alert.simulated && <SimulatedTag />}
        <span className="muted">
          <Age at={alert.last_seen_at} />
        </span>
        <small className="muted clip">{alert.place.name}</small>
      </button>
    </li>
  );
}

/** Of alerts with a picture the gravest, newest first. */
function gravest(page: AlertPage, most: number): AlertSummary[] {
  return page.items
    .filter((a) => isOpen(a) && a.thumbnail)
    .sort((a, b) => a.severity - b.severity || b.last_seen_at.localeCompare(a.last_seen_at))
    .slice(0, most);
}

/** On 32:9 walls: the evidence of the gravest, newest alerts. */
export function EvidenceColumn({
  reading,
  most,
  onChoose,
}: {
  reading: Reading<AlertPage>;
  most: number;
  onChoose: (alert: AlertSummary) => void;
}) {
  const { t } = useWords();
  return (
    <Panel className="wall-evidence" title={t("wall.evidence")} testId="evidence-column">
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={3} height="12rem" />}
        isEmpty={(page) => gravest(page, most).length === 0}
        empty={<Empty title={t("wall.noEvidence")} />}
      >
        {(page) => (
          <ul>
            {gravest(page, most).map((alert) => (
              <Stream key={alert.id} alert={alert} onChoose={onChoose} />
            ))}
          </ul>
        )}
      </Drawn>
    </Panel>
  );
}
