import type { TimeWindow } from "../state/view";

interface Row {
  properties?: Record<string, unknown> | null;
}

/** When the thing of a row began, epoch ms; null when the row has no time of its own. */
function bornAt(row: Row): number | null {
  const p = row.properties ?? {};
  const text = p.first_seen_at ?? p.recorded_at ?? p.opened_at;
  const at = typeof text === "string" ? Date.parse(text) : Number.NaN;
  return Number.isFinite(at) ? at : null;
}

/** Rows of a GeoJSON collection that belong to a closed time window; while live, and for rows without a time, all of them. */
export function within(data: unknown, time: TimeWindow): unknown {
  if (time.live || !data || typeof data !== "object" || !("features" in data)) return data;
  const rows = (data as { features: Row[] }).features.filter((row) => {
    const at = bornAt(row);
    return at === null || (at >= time.from && at <= time.to);
  });
  return { ...data, features: rows };
}
