import { useEffect, useRef } from "react";
import { useEvents } from "../api/events";
import { type Query, type Reading, useResource } from "../api/resource";
import type { AlertDetail, AlertPage, AlertSummary } from "../api/types";
import { mark } from "../state/marks";

const GENTLE_MS = 500;

/** Calls `work` at once, and once more after `wait` when it was asked for again meanwhile: the first of a burst does not wait, the rest is one call. */
export function useGently(work: () => void, wait = GENTLE_MS): () => void {
  const timer = useRef(0);
  const asked = useRef(false);
  const now = useRef(work);
  now.current = work;
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const rest = () => {
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      if (!asked.current) return;
      asked.current = false;
      now.current();
      rest();
    }, wait);
  };
  return () => {
    if (timer.current) {
      asked.current = true;
      return;
    }
    now.current();
    rest();
  };
}

/** A page of alerts that is read again when alerts change; notes when each was first on the screen. */
export function useAlerts(query: Query): Reading<AlertPage> {
  const reading = useResource<AlertPage>("/alerts", query, 60);
  useEvents(["alert.", "order."], useGently(reading.reload));
  const shown = useRef(new Set<number>());
  const items = reading.resource.data?.items;
  useEffect(() => {
    for (const alert of items ?? []) {
      if (shown.current.has(alert.id)) continue;
      shown.current.add(alert.id);
      mark("alert.shown", alert.id);
    }
  }, [items]);
  return reading;
}

/** One alert with all its evidence; null asks for nothing. */
export function useAlert(id: string | null): Reading<AlertDetail> {
  const reading = useResource<AlertDetail>(id === null ? null : `/alerts/${encodeURIComponent(id)}`);
  const again = useGently(reading.reload);
  useEvents(["alert.", "case.", "order."], (event) => {
    const about = event.kind.startsWith("alert.") ? event.entity_id : String(event.payload.alert_id ?? "");
    if (id !== null && about === id) again();
  });
  return reading;
}

/** States of alerts that still ask for something. */
export const OPEN_STATES = ["open", "acknowledged", "confirmed"] as const;

/** Alerts that still ask for something. */
export function isOpen(alert: Pick<AlertSummary, "state">): boolean {
  return OPEN_STATES.some((state) => state === alert.state);
}

/** Probability in tenths, as people say it: 8 成. Never 10 of 10: nothing is certain before somebody looked. */
export function tenths(probability: number): number {
  return Math.min(9, Math.max(1, Math.round(probability * 10)));
}
