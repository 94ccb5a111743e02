import { useEffect, useState } from "react";
import type { Order, ProposedUnit } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { clockTime } from "../i18n/time";
import { formatAge, formatLength } from "../map/units";
import { may, useMe } from "../state/session";
import { useMode } from "./Header";
import type { Command } from "./useCommand";

const STEPS = ["confirmed", "acknowledged", "moving", "arrived"] as const;

function Standing({ order }: { order: Order }) {
  const { t } = useWords();
  const at = STEPS.indexOf(order.state as (typeof STEPS)[number]);
  return (
    <li className="order" data-testid={`order-${order.id}`} data-state={order.state}>
      <strong className="clip">{order.unit_name}</strong>
      <span className="num muted">
        {order.state === "arrived" ? "" : t("wall.arrival", { time: clockTime(order.eta_at) })}
      </span>
      <ol className="order-steps" aria-label={t(`i18n.orderState.${order.state}`)}>
        {STEPS.map((step, i) => (
          <li key={step} data-done={order.state === "done" || i <= at || undefined}>
            {t(`i18n.orderState.${step}`)}
          </li>
        ))}
      </ol>
    </li>
  );
}

function Offer({ unit, chosen, toggle }: { unit: ProposedUnit; chosen: boolean; toggle: () => void }) {
  const { t, tongue } = useWords();
  return (
    <li className="offer">
      <label>
        <input
          type="checkbox"
          checked={chosen}
          onChange={toggle}
          aria-label={t("wall.chooseUnit", { name: unit.name })}
        />
        <span className="clip">
          {unit.name} <small className="muted">{t(`i18n.unit.${unit.kind}`)}</small>
        </span>
        <small className="muted num" title={t("wall.stale", { age: formatAge(unit.position_age_s, tongue) })}>
          {formatLength(unit.distance_m, tongue)}
        </small>
        <strong className="num">{t("wall.minutes", { n: Math.max(1, Math.round(unit.eta_s / 60)) })}</strong>
      </label>
    </li>
  );
}

/** The proposed package with minutes and one button; afterwards the standing of each order. */
export function Dispatch({ command }: { command: Command }) {
  const { t, side } = useWords();
  const me = useMe();
  const mode = useMode();
  const [left, setLeft] = useState<ReadonlySet<number>>(new Set());
  const alertId = command.proposal.resource.data?.alert_id;
  useEffect(() => setLeft(new Set()), [alertId]);
  const known = command.orders.resource.data;
  if (known === null) {
    return (
      <section data-testid="orders-unknown">
        <Drawn reading={command.orders} skeleton={<Skeleton rows={3} height="1.5rem" />}>
          {() => null}
        </Drawn>
      </section>
    );
  }
  const orders = known.filter((o) => o.state !== "cancelled");
  if (orders.length > 0) {
    return (
      <section data-testid="orders">
        <h3>
          {t("wall.orders")}
          {orders.some((o) => o.exercise) && <span className="exercise">{t("wall.exercise")}</span>}
        </h3>
        <ul className="orders">
          {orders.map((order) => (
            <Standing key={order.id} order={order} />
          ))}
        </ul>
      </section>
    );
  }
  if (!may(me, "dispatch")) return <p className="muted">{t("wall.noRight")}</p>;
  return (
    <section data-testid="package">
      <h3>{t("wall.package")}</h3>
      <Drawn reading={command.proposal} skeleton={<Skeleton rows={3} height="1.5rem" />}>
        {(proposal) => {
          const chosen = proposal.units.filter((unit) => !left.has(unit.unit_id));
          return (
            <>
              {proposal.units.length === 0 && <p className="muted">{t("wall.noUnits")}</p>}
              <ul className="offers">
                {proposal.units.map((unit) => (
                  <Offer
                    key={unit.unit_id}
                    unit={unit}
                    chosen={!left.has(unit.unit_id)}
                    toggle={() => {
                      const next = new Set(left);
                      if (!next.delete(unit.unit_id)) next.add(unit.unit_id);
                      setLeft(next);
                    }}
                  />
                ))}
              </ul>
              {proposal.missing.map((text) => (
                <p key={text} className="muted small">
                  {side(text)}
                </p>
              ))}
              {command.problem && (
                <p className="card-problem" role="alert">
                  {side(command.problem.detail)} {side(command.problem.remedy ?? "")}
                </p>
              )}
              <button
                type="button"
                className="btn btn-primary dispatch"
                data-testid="dispatch"
                disabled={command.busy || chosen.length === 0}
                onClick={() =>
                  void command.dispatch(
                    chosen.map((unit) => unit.unit_id),
                    mode === "drill",
                  )
                }
              >
                {command.busy ? t("wall.dispatching") : t("wall.dispatch")}
                {mode === "drill" && ` · ${t("wall.exercise")}`}
              </button>
            </>
          );
        }}
      </Drawn>
    </section>
  );
}
