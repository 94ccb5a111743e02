import { AlertLine } from "../alerts/AlertLine";
import { isOpen } from "../alerts/useAlerts";
import type { Reading } from "../api/resource";
import type { AlertPage, AlertSummary } from "../api/types";
import { Drawn, Empty, Panel, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";

/** Live alerts, newest first. The only thing on the wall that scrolls by itself. */
export function AlertColumn({
  reading,
  chosen,
  onChoose,
}: {
  reading: Reading<AlertPage>;
  chosen: string | null;
  onChoose: (alert: AlertSummary) => void;
}) {
  const { t } = useWords();
  const total = reading.resource.data?.total;
  return (
    <Panel
      className="wall-alerts"
      testId="alert-column"
      title={t("wall.alerts")}
      aside={total !== undefined && <span className="muted num">{t("wall.count", { n: total })}</span>}
    >
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={7} height="4rem" />}
        isEmpty={(page) => page.items.filter(isOpen).length === 0}
        empty={<Empty title={t("alerts.none")} hint={t("alerts.noneHint")} />}
      >
        {(page) => (
          <ul className="wall-scroll">
            {page.items.filter(isOpen).map((alert) => (
              <AlertLine key={alert.id} alert={alert} chosen={String(alert.id) === chosen} onChoose={onChoose} />
            ))}
          </ul>
        )}
      </Drawn>
    </Panel>
  );
}
