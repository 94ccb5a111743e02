import { useEffect, useRef, useState } from "react";
import { useGently } from "../alerts/useAlerts";
import { get, intention, post } from "../api/client";
import { useEvents } from "../api/events";
import { isRefused, Problem } from "../api/problem";
import { type Reading, useResource } from "../api/resource";
import type { Order, Package } from "../api/types";
import { mark } from "../state/marks";

export interface Command {
  proposal: Reading<Package>;
  orders: Reading<Order[]>;
  busy: boolean;
  problem: Problem | null;
  dispatch: (unitIds: number[], exercise: boolean) => Promise<void>;
}

/** Proposal, order and standing of the orders of one alert. */
export function useCommand(alertId: string | null, allowed: boolean): Command {
  const proposal = useResource<Package>(alertId !== null && allowed ? `/alerts/${alertId}/package` : null);
  const orders = useResource<Order[]>(alertId === null ? null : "/orders", { alert_id: alertId ?? "" });
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const key = useRef(intention());
  const again = useGently(orders.reload, 150);
  useEvents(["order."], again);
  // A new alert is a new intention: a repeated click on the same one stays the same order.
  useEffect(() => {
    key.current = `${alertId ?? ""}-${intention()}`;
    setProblem(null);
  }, [alertId]);

  return {
    proposal,
    orders,
    busy,
    problem,
    dispatch: async (unitIds, exercise) => {
      if (alertId === null) return;
      setBusy(true);
      setProblem(null);
      try {
        const made = await post<Order[]>(`/alerts/${alertId}/orders`, { unit_ids: unitIds, exercise }, key.current);
        mark("order.confirmed", alertId);
        orders.patch(() => made);
        orders.reload();
      } catch (cause) {
        const refusal = cause instanceof Problem ? cause : Problem.unreachable(cause);
        setProblem(refusal);
        if (isRefused(refusal)) key.current = intention();
        proposal.reload();
        orders.reload();
      } finally {
        setBusy(false);
      }
    },
  };
}

type Trails = Record<number, [number, number][]>;

/** Where the ordered units have been in the last half hour; grows with each `units.moved`. */
export function useTrails(orders: readonly Order[]): Trails {
  const [trails, setTrails] = useState<Trails>({});
  const ids = orders
    .filter((o) => o.state !== "done" && o.state !== "cancelled")
    .map((o) => o.unit_id)
    .sort((a, b) => a - b)
    .join(",");
  useEffect(() => {
    if (ids === "") {
      setTrails({});
      return;
    }
    const abort = new AbortController();
    for (const id of ids.split(",")) {
      get<{ lon: number; lat: number }[]>(`/units/${id}/trail`, { minutes: 30 }, abort.signal)
        .then((points) =>
          setTrails((old) => ({ ...old, [Number(id)]: points.map((p) => [p.lon, p.lat] as [number, number]) })),
        )
        .catch((cause) => {
          if (!abort.signal.aborted) window.__hdq.problems.push({ layer: `trail ${id}`, message: String(cause) });
        });
    }
    return () => abort.abort();
  }, [ids]);
  useEvents(["units.moved"], (event) => {
    const moved = event.payload.units;
    if (!Array.isArray(moved) || ids === "") return;
    const wanted = new Set(ids.split(",").map(Number));
    setTrails((old) => {
      const next = { ...old };
      for (const unit of moved as { id: number; lon: number; lat: number }[]) {
        if (wanted.has(unit.id)) next[unit.id] = [...(next[unit.id] ?? []), [unit.lon, unit.lat]];
      }
      return next;
    });
  });
  return trails;
}
