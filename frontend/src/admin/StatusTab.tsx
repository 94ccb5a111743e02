import { useResource } from "../api/resource";
import type { Status } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { fullTime } from "../i18n/time";

function Numbers({ title, values }: { title: string; values: Record<string, number | string> }) {
  const entries = Object.entries(values);
  if (entries.length === 0) return null;
  return (
    <section className="numbers">
      <h3>{title}</h3>
      <dl>
        {entries.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="num">{typeof value === "number" ? value.toLocaleString("en-US") : value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const WORD = { ok: "admin.healthy", degraded: "admin.degraded", down: "admin.down" } as const;

/** What `hdq status` prints: health of the parts, counts, queue, versions. */
export function StatusTab() {
  const { t } = useWords();
  const reading = useResource<Status>("/status", {}, 10);
  return (
    <Drawn reading={reading} skeleton={<Skeleton rows={5} />}>
      {(status) => (
        <div data-testid="status">
          <p className={`health health-${status.health.status}`}>
            <strong>{t(WORD[status.health.status])}</strong>
            <span className="muted num">{t("admin.asOf", { time: fullTime(status.as_of) })}</span>
          </p>
          <section>
            <h3>{t("admin.checks")}</h3>
            <ul className="checks">
              {status.health.checks.map((check) => (
                <li key={check.name} className={check.ok ? "" : "check-bad"}>
                  <strong>{check.name}</strong>
                  <span>{t(check.ok ? "admin.ok" : "admin.failing")}</span>
                  <span className="muted">{check.detail}</span>
                </li>
              ))}
            </ul>
          </section>
          <div className="numbers-grid">
            <Numbers title={t("admin.counts")} values={status.counts} />
            <Numbers title={t("admin.queue")} values={status.queue} />
            <Numbers title={t("admin.frames")} values={status.frames} />
            <Numbers title={t("admin.bySensor")} values={status.alerts_by_sensor_kind} />
            <Numbers title={t("admin.caseStates")} values={status.cases_by_state} />
            <Numbers title={t("admin.versions")} values={status.versions} />
          </div>
        </div>
      )}
    </Drawn>
  );
}
