import { useState } from "react";
import { Table } from "../admin/Table";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { Delivery, Subscription } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";
import { clockTime, fullTime } from "../i18n/time";

/** How the telling went, newest first; what was given up can be sent again. */
export function Deliveries({ of, onChanged }: { of: Subscription; onChanged: () => void }) {
  const { t, side } = useWords();
  const [dead, setDead] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const reading = useResource<Delivery[]>(
    `/subscriptions/${of.id}/deliveries`,
    { limit: "50", ...(dead ? { state: "dead" } : {}) },
    5,
  );
  const resend = async (id: number) => {
    try {
      await post(`/deliveries/${id}/resend`);
      setProblem(null);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    }
    reading.reload();
    onChanged();
  };
  return (
    <section className="deliveries" data-testid="deliveries">
      <header>
        <h2>{t("subscriptions.deliveries", { name: of.title })}</h2>
        <label className="subscription-choice">
          <input type="checkbox" checked={dead} onChange={(event) => setDead(event.target.checked)} />
          {t("subscriptions.onlyDead")}
        </label>
      </header>
      <ProblemLine problem={problem} />
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={3} height="2rem" />}
        isEmpty={(list) => list.length === 0}
        empty={<Empty title={t("subscriptions.noDeliveries")} hint={t("subscriptions.noDeliveriesHint")} />}
      >
        {(list) => (
          <Table
            label={t("subscriptions.deliveries", { name: of.title })}
            rows={list}
            rowKey={(each) => String(each.id)}
            columns={[
              {
                title: t("subscriptions.at"),
                cell: (each) => <span className="num">{fullTime(each.happened_at)}</span>,
              },
              {
                title: t("subscriptions.event"),
                cell: (each) =>
                  `${t(`subscriptions.events.${each.kind}`, { defaultValue: each.kind })} ${each.entity_id}`,
              },
              {
                title: t("subscriptions.state"),
                cell: (each) => (
                  <strong className="delivery-state" data-state={each.state}>
                    {t(`subscriptions.states.${each.state}`)}
                  </strong>
                ),
              },
              { title: t("subscriptions.attempts"), numeric: true, cell: (each) => each.attempts },
              {
                title: t("subscriptions.reason"),
                cell: (each) =>
                  [
                    side(each.reason),
                    each.state === "waiting" && each.attempts > 0
                      ? t("subscriptions.next", { time: clockTime(each.next_at) })
                      : "",
                  ]
                    .filter(Boolean)
                    .join(" · "),
              },
              {
                title: "",
                cell: (each) =>
                  each.state === "dead" && (
                    <button type="button" className="btn btn-quiet" onClick={() => void resend(each.id)}>
                      {t("subscriptions.resend")}
                    </button>
                  ),
              },
            ]}
          />
        )}
      </Drawn>
    </section>
  );
}
