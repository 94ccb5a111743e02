/** The view that lives in the URL: camera, time window, layers, selection, filters. Parsing never throws; nonsense is dropped. */
export interface Camera {
  lon: number;
  lat: number;
  zoom: number;
  pitch: number;
  bearing: number;
}

/** `live` follows now; otherwise a closed window in epoch milliseconds. */
export type TimeWindow = { live: true; hours: number } | { live: false; from: number; to: number };

export interface View {
  camera: Camera | null;
  time: TimeWindow;
  /** Layer ids switched on, with opacity 0–1; null means the catalogue's own default. */
  layers: Record<string, number> | null;
  /** Selected thing as `kind:id`, e.g. `alert:0190…`. */
  selection: string | null;
  /** Everything else a face keeps (filters, tab, swipe position), as plain strings. */
  filters: Record<string, string>;
}

export const EMPTY_VIEW: View = {
  camera: null,
  time: { live: true, hours: 24 },
  layers: null,
  selection: null,
  filters: {},
};

const RESERVED = new Set(["c", "t", "l", "s"]);

function parseCamera(text: string | null): Camera | null {
  if (!text) return null;
  const [lon, lat, zoom, pitch = 0, bearing = 0] = text.split(",").map(Number);
  if (lon === undefined || lat === undefined || zoom === undefined) return null;
  if (![lon, lat, zoom, pitch, bearing].every(Number.isFinite)) return null;
  if (Math.abs(lon) > 180 || Math.abs(lat) > 85.06 || zoom < 0 || zoom > 22 || pitch < 0 || pitch > 85) return null;
  return { lon, lat, zoom, pitch, bearing };
}

function parseTime(text: string | null): TimeWindow {
  if (!text) return EMPTY_VIEW.time;
  const live = /^live-(\d{1,3})h$/.exec(text);
  if (live?.[1]) return { live: true, hours: Math.max(1, Number(live[1])) };
  const [from, to] = text.split("~").map((part) => Date.parse(part));
  if (from === undefined || to === undefined || !(from < to)) return EMPTY_VIEW.time;
  return { live: false, from, to };
}

function parseLayers(text: string | null): Record<string, number> | null {
  if (text === null) return null;
  const layers: Record<string, number> = {};
  for (const part of text.split(",")) {
    const match = /^([\w.-]+)(?:@(\d{1,3}))?$/.exec(part);
    if (match?.[1]) layers[match[1]] = match[2] === undefined ? 1 : Math.min(100, Number(match[2])) / 100;
  }
  return layers;
}

/** The view a query string says. */
export function parseView(search: string): View {
  const query = new URLSearchParams(search);
  const filters: Record<string, string> = {};
  for (const [key, value] of query) if (!RESERVED.has(key) && value !== "") filters[key] = value;
  return {
    camera: parseCamera(query.get("c")),
    time: parseTime(query.get("t")),
    layers: parseLayers(query.get("l")),
    selection: query.get("s") || null,
    filters,
  };
}

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}

/** The query string (with leading `?`, or empty) that says this view; `parseView` of it gives the same view. */
export function formatView(view: View): string {
  const parts: string[] = [];
  if (view.camera) {
    const { lon, lat, zoom, pitch, bearing } = view.camera;
    const numbers = [trim(lon, 5), trim(lat, 5), trim(zoom, 2)];
    if (pitch !== 0 || bearing !== 0) numbers.push(trim(pitch, 0), trim(bearing, 0));
    parts.push(`c=${numbers.join(",")}`);
  }
  if (!view.time.live) {
    parts.push(`t=${new Date(view.time.from).toISOString()}~${new Date(view.time.to).toISOString()}`);
  } else if (view.time.hours !== 24) parts.push(`t=live-${view.time.hours}h`);
  if (view.layers) {
    const on = Object.entries(view.layers).map(([id, o]) => (o >= 1 ? id : `${id}@${Math.round(o * 100)}`));
    parts.push(`l=${on.sort().join(",")}`);
  }
  if (view.selection) parts.push(`s=${encodeURIComponent(view.selection).replaceAll("%3A", ":")}`);
  for (const key of Object.keys(view.filters).sort()) {
    const value = view.filters[key];
    if (value) parts.push(`${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** `[kind, id]` of a selection such as `alert:12`; null when it is none. */
export function selected(view: View): { kind: string; id: string } | null {
  const at = view.selection?.indexOf(":") ?? -1;
  if (!view.selection || at < 1) return null;
  return { kind: view.selection.slice(0, at), id: view.selection.slice(at + 1) };
}
