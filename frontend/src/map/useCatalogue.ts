import { useMemo, useRef } from "react";
import { useEvents } from "../api/events";
import { type Reading, useResource } from "../api/resource";
import type { LayerCatalogue, LayerContract, LayerDeclaration } from "../api/types";
import { changeView, useView } from "../state/location";

/** The faces that show a map. */
export type MapFace = keyof LayerDeclaration["visible"];

export interface ShownLayers {
  reading: Reading<LayerCatalogue>;
  /** All layers; one that is declared as before stays the same object, so that the map is not drawn again for a new count. */
  declared: readonly LayerDeclaration[];
  /** How each layer keeps its promises, as last read. */
  contracts: Readonly<Record<string, LayerContract>>;
  /** Opacity of each layer that is on; a layer not named here asks for nothing. */
  shown: Record<string, number>;
  toggle: (id: string) => void;
  setOpacity: (id: string, opacity: number) => void;
  reset: () => void;
}

/** Seconds between readings: a layer grows old while people look, and nobody sends an event for that. */
const EVERY_S = 120;
const NONE: readonly LayerDeclaration[] = [];

/** Layers on for a face before anybody chose: what the catalogue says. */
export function defaultLayers(layers: readonly LayerDeclaration[], face: MapFace): Record<string, number> {
  return Object.fromEntries(layers.filter((layer) => layer.visible[face]).map((layer) => [layer.id, 1]));
}

/** Each layer as it was before when only its contract is new. `before` is changed: it keeps what was given out. */
export function steady(
  layers: readonly LayerDeclaration[],
  before: Map<string, { text: string; layer: LayerDeclaration }>,
): LayerDeclaration[] {
  return layers.map((layer) => {
    const text = JSON.stringify({ ...layer, contract: null });
    const known = before.get(layer.id);
    if (known?.text === text) return known.layer;
    before.set(layer.id, { text, layer });
    return layer;
  });
}

/** The layer catalogue and what is switched on, which lives in the URL. A new dataset appears without a reload. */
export function useCatalogue(face: MapFace): ShownLayers {
  const reading = useResource<LayerCatalogue>("/layers", {}, EVERY_S);
  const { layers } = useView();
  useEvents(["dataset.", "scene.registered", "scene.masked"], () => reading.reload());
  const read = reading.resource.data?.layers;
  const given = useRef(new Map<string, { text: string; layer: LayerDeclaration }>());
  const last = useRef(NONE);
  const declared = useMemo(() => {
    const next = steady(read ?? NONE, given.current);
    const same = next.length === last.current.length && next.every((layer, at) => layer === last.current[at]);
    if (!same) last.current = next;
    return last.current;
  }, [read]);
  const contracts = useMemo(() => Object.fromEntries((read ?? NONE).map((l) => [l.id, l.contract])), [read]);
  const shown = useMemo(() => layers ?? defaultLayers(declared, face), [layers, declared, face]);
  return {
    reading,
    declared,
    contracts,
    shown,
    toggle: (id) => {
      const next = { ...shown };
      if (id in next) delete next[id];
      else next[id] = 1;
      changeView({ layers: next });
    },
    setOpacity: (id, opacity) => changeView({ layers: { ...shown, [id]: opacity } }, "replace"),
    reset: () => changeView({ layers: null }),
  };
}
