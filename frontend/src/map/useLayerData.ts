import { useCallback, useEffect, useRef, useState } from "react";
import { stream, useEvents } from "../api/events";
import { Problem } from "../api/problem";
import type { LayerDeclaration } from "../api/types";

export interface LayerData {
  /** Rows of a small layer read as GeoJSON; undefined for tiles. */
  data: unknown;
  turn: number;
  problem: string | null;
  /** There were more rows than the server sends at once. */
  truncated: boolean;
  at: number | null;
}

const GENTLE_MS = 1500;

/**
 * Whether an event makes what a layer shows old: by the kinds it names (`alert.opened`, `alert.*`), or, where it names
 * none, when the noun of the event is part of its id (`alert.opened` concerns `alerts`).
 */
export function concerns(layer: Pick<LayerDeclaration, "id" | "live" | "refreshed_by">, eventKind: string): boolean {
  if (!layer.live) return false;
  if (layer.refreshed_by) {
    return layer.refreshed_by.some(
      (kind) => kind === eventKind || (kind.endsWith(".*") && eventKind.startsWith(kind.slice(0, -1))),
    );
  }
  const noun = (eventKind.split(".")[0] ?? "").replace(/s$/, "");
  return noun !== "" && layer.id.includes(noun);
}

/** What a layer shows now. Tiles are read by the map itself: for them only the moment counts. */
async function rowsOf(layer: LayerDeclaration): Promise<Partial<LayerData>> {
  if (layer.source.type !== "geojson") return { at: Date.now(), problem: null };
  try {
    const response = await fetch(layer.source.url, { credentials: "same-origin" });
    if (!response.ok) throw await Problem.of(response);
    const data = (await response.json()) as { truncated?: boolean };
    return { data, problem: null, truncated: data.truncated === true, at: Date.now() };
  } catch (cause) {
    return { problem: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** Reads the GeoJSON of the small layers that are on, and again when something they show has changed. */
export function useLayerData(on: readonly LayerDeclaration[]): Record<string, LayerData> {
  const [all, setAll] = useState<Record<string, LayerData>>({});
  const now = useRef(on);
  now.current = on;
  const due = useRef(new Set<string>());
  const timer = useRef(0);
  const reading = useRef(false);

  /** Reads these layers together and shows them together: the map is drawn once for all that one event touched. */
  const read = useCallback(async (layers: readonly LayerDeclaration[]) => {
    const changes = await Promise.all(layers.map(async (layer) => [layer.id, await rowsOf(layer)] as const));
    setAll((old) => {
      const next = { ...old };
      for (const [id, change] of changes) {
        const before = old[id] ?? { data: undefined, turn: 0, problem: null, truncated: false, at: null };
        next[id] = { ...before, ...change, turn: before.turn + (change.problem ? 0 : 1) };
      }
      return next;
    });
  }, []);

  const later = useCallback(
    (layer: LayerDeclaration) => {
      due.current.add(layer.id);
      const wait = () => {
        timer.current = window.setTimeout(async () => {
          timer.current = 0;
          const layers = now.current.filter((each) => due.current.has(each.id));
          due.current.clear();
          reading.current = true;
          await read(layers);
          reading.current = false;
          if (due.current.size > 0) wait();
        }, GENTLE_MS);
      };
      if (timer.current === 0 && !reading.current) wait();
    },
    [read],
  );

  const ids = on.map((layer) => layer.id).join(" ");
  useEffect(() => {
    const wanted = new Set(ids.split(" "));
    for (const layer of now.current) {
      if (wanted.has(layer.id) && layer.source.type === "geojson") void read([layer]);
    }
  }, [ids, read]);

  useEvents(
    ["alert.", "case.", "order.", "units.", "observation.", "camera.", "survey.", "study.", "scene.", "dataset."],
    (event) => {
      for (const layer of now.current) if (concerns(layer, event.kind)) later(layer);
    },
  );

  useEffect(
    () =>
      stream.whenReset((first) => {
        for (const layer of now.current) if (layer.live && !(first && layer.source.type !== "geojson")) later(layer);
      }),
    [later],
  );

  useEffect(() => () => window.clearTimeout(timer.current), []);
  return all;
}
