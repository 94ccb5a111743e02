import { useMemo } from "react";
import { useEvents } from "../api/events";
import { type Reading, useResource } from "../api/resource";
import type { LayerCatalogue, LayerDeclaration } from "../api/types";
import { changeView, useView } from "../state/location";

/** The faces that show a map. */
export type MapFace = keyof LayerDeclaration["visible"];

export interface ShownLayers {
  reading: Reading<LayerCatalogue>;
  /** Opacity of each layer that is on; a layer not named here asks for nothing. */
  shown: Record<string, number>;
  toggle: (id: string) => void;
  setOpacity: (id: string, opacity: number) => void;
  reset: () => void;
}

/** Layers on for a face before anybody chose: what the catalogue says. */
export function defaultLayers(layers: readonly LayerDeclaration[], face: MapFace): Record<string, number> {
  return Object.fromEntries(layers.filter((layer) => layer.visible[face]).map((layer) => [layer.id, 1]));
}

/** The layer catalogue and what is switched on, which lives in the URL. A new dataset appears without a reload. */
export function useCatalogue(face: MapFace): ShownLayers {
  const reading = useResource<LayerCatalogue>("/layers");
  const { layers } = useView();
  useEvents(["dataset.", "scene.registered"], () => reading.reload());
  const declared = reading.resource.data?.layers;
  const shown = useMemo(() => layers ?? defaultLayers(declared ?? [], face), [layers, declared, face]);
  return {
    reading,
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
