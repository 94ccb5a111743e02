import { useEffect, useState } from "react";
import { Table } from "../admin/Table";
import { intention, post } from "../api/client";
import { useEvents } from "../api/events";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { Connection, ConnectionList } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { NewConnection } from "./NewConnection";
import { PERIODS } from "./periods";
import "./connections.css";

const MOVING = new Set(["never", "fetching", "importing"]);

/** Sources of other systems that datasets follow: how each went last, run now, pause, remove, add. */
export function Connections() {
  const { t } = useWords();
  const [every, setEvery] = useState(30);
  const [adding, setAdding] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const list = useResource<ConnectionList>("/connections", {}, every);
  const known = list.resource.data;
  useEffect(
    () => setEvery(known?.connections.some((each) => each.active && MOVING.has(each.last_state)) ? 3 : 30),
    [known],
  );
  useEvents(["dataset."], list.reload);
  const tell = async (path: string, method: string, body: unknown = {}) => {
    try {
      await post(`/connections/${path}`, body, intention(), method);
      setProblem(null);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    }
    list.reload();
  };
  return (
    <section className="connections" aria-label={t("connections.title")} data-testid="connections">
      <header className="connections-head">
        <h2>{t("connections.title")}</h2>
        {known && known.hosts.length > 0 && (
          <button type="button" className="btn" onClick={() => setAdding(true)} data-testid="connection-add">
            {t("connections.add")}
          </button>
        )}
      </header>
      <ProblemLine problem={problem} />
      <Drawn
        reading={list}
        skeleton={<Skeleton rows={2} height="3rem" />}
        isEmpty={(all) => all.connections.length === 0}
        empty={
          known?.hosts.length ? (
            <Empty title={t("connections.none")} hint={t("connections.noneHint", { hosts: known.hosts.join(", ") })} />
          ) : (
            <Empty title={t("connections.off")} hint={t("connections.offHint")} />
          )
        }
      >
        {(all) => (
          <Table
            label={t("connections.title")}
            testId="connections-table"
            rows={all.connections}
            rowKey={(each) => String(each.id)}
            columns={[
              { title: t("connections.source"), cell: (each) => <Source of={each} kinds={all.kinds} /> },
              { title: t("admin.state"), cell: (each) => <State of={each} /> },
              { title: t("connections.every"), numeric: true, cell: (each) => <Period minutes={each.every_minutes} /> },
              {
                title: t("connections.lastGood"),
                numeric: true,
                cell: (each) => (each.last_good_at ? dayTime(each.last_good_at) : t("connections.never")),
              },
              { title: t("connections.next"), numeric: true, cell: (each) => <Next of={each} /> },
              {
                title: "",
                cell: (each) => (
                  <span className="connection-actions">
                    <button
                      type="button"
                      className="btn btn-quiet"
                      onClick={() => void tell(`${each.id}/run`, "POST")}
                      data-testid={`connection-run-${each.id}`}
                    >
                      {t("connections.run")}
                    </button>
                    <button
                      type="button"
                      className="btn btn-quiet"
                      onClick={() => void tell(String(each.id), "PATCH", { active: !each.active })}
                    >
                      {t(each.active ? "connections.pause" : "connections.resume")}
                    </button>
                    <button
                      type="button"
                      className="btn btn-quiet"
                      onClick={() => {
                        if (window.confirm(t("connections.removeSure", { name: each.title })))
                          void tell(String(each.id), "DELETE");
                      }}
                    >
                      {t("connections.remove")}
                    </button>
                  </span>
                ),
              },
            ]}
          />
        )}
      </Drawn>
      {adding && known && (
        <NewConnection
          kinds={known.kinds}
          hosts={known.hosts}
          onClose={() => setAdding(false)}
          onMade={() => {
            setAdding(false);
            list.reload();
          }}
        />
      )}
    </section>
  );
}

function Source({ of, kinds }: { of: Connection; kinds: ConnectionList["kinds"] }) {
  const { pick } = useWords();
  const kind = kinds.find((each) => each.kind === of.kind);
  return (
    <span className="cell-name connection-source">
      <strong>{of.title}</strong>
      <small className="muted">
        {kind ? pick(kind.title, kind.title_en) : of.kind} · {of.collection}
      </small>
      <small className="muted">{of.address}</small>
    </span>
  );
}

function State({ of }: { of: Connection }) {
  const { t, side } = useWords();
  return (
    <span className="cell-name connection-state" data-testid={`connection-state-${of.id}`} data-state={of.last_state}>
      <strong>{t(`connections.states.${of.last_state}`)}</strong>
      {of.last_error ? (
        <small>
          {side(of.last_error.detail)} <span className="muted">{side(of.last_error.remedy)}</span>
        </small>
      ) : (
        of.last_features !== null && (
          <small className="muted">{t("connections.features", { n: of.last_features.toLocaleString("en-US") })}</small>
        )
      )}
    </span>
  );
}

function Period({ minutes }: { minutes: number }) {
  const { t } = useWords();
  const name = String(minutes);
  return <>{PERIODS.includes(name) ? t(`connections.periods.${name}`) : t("connections.minutes", { n: minutes })}</>;
}

function Next({ of }: { of: Connection }) {
  const { t } = useWords();
  if (of.next_run_at === null) return <>{t("connections.paused")}</>;
  return <>{Date.parse(of.next_run_at) <= Date.now() ? t("connections.soon") : dayTime(of.next_run_at)}</>;
}
