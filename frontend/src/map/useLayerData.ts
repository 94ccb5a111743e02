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

/** Reads the GeoJSON of the small layers that are on, and again when something they show has changed. */
export function useLayerData(on: readonly LayerDeclaration[]): Record<string, LayerData> {
  const [all, setAll] = useState<Record<string, LayerData>>({});
  const now = useRef(on);
  now.current = on;
  const timers = useRef(new Map<string, number>());
  const reading = useRef(new Set<string>());

  const read = useCallback(async (layer: LayerDeclaration) => {
    const put = (change: Partial<LayerData>) =>
      setAll((old) => {
        const before = old[layer.id] ?? { data: undefined, turn: 0, problem: null, truncated: false, at: null };
        return { ...old, [layer.id]: { ...before, ...change, turn: before.turn + (change.problem ? 0 : 1) } };
      });
    if (layer.source.type !== "geojson") {
      put({ at: Date.now(), problem: null });
      return;
    }
    if (reading.current.has(layer.id)) return;
    reading.current.add(layer.id);
    try {
      const response = await fetch(layer.source.url, { credentials: "same-origin" });
      if (!response.ok) throw await Problem.of(response);
      const data = (await response.json()) as { truncated?: boolean };
      put({ data, problem: null, truncated: data.truncated === true, at: Date.now() });
    } catch (cause) {
      put({ problem: cause instanceof Error ? cause.message : String(cause) });
    } finally {
      reading.current.delete(layer.id);
    }
  }, []);

  const later = useCallback(
    (layer: LayerDeclaration) => {
      if (timers.current.has(layer.id)) return;
      timers.current.set(
        layer.id,
        window.setTimeout(() => {
          timers.current.delete(layer.id);
          if (now.current.some((l) => l.id === layer.id)) void read(layer);
        }, GENTLE_MS),
      );
    },
    [read],
  );

  const ids = on.map((layer) => layer.id).join(" ");
  useEffect(() => {
    const wanted = new Set(ids.split(" "));
    for (const layer of now.current) {
      if (wanted.has(layer.id) && layer.source.type === "geojson") void read(layer);
    }
  }, [ids, read]);

  useEvents(
    ["alert.", "case.", "order.", "units.", "observation.", "camera.", "survey.", "scene.", "dataset."],
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

  useEffect(() => {
    const pending = timers.current;
    return () => {
      for (const timer of pending.values()) window.clearTimeout(timer);
    };
  }, []);
  return all;
}
