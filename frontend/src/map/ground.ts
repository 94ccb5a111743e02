import type { Map as BaseMap } from "maplibre-gl";
import { useEffect, useState } from "react";
import { useResource } from "../api/resource";
import type { BaseMapChoice } from "../api/types";
import { changeFilters, useView } from "../state/location";
import type { BaseTheme } from "./basemap";

/** Our own vector map: the default, and what remains when a source fails. */
export const OWN = "haidongqing";
/** What the sources and style layers of pictures are called: `ground-` and the id of the layer. */
const GROUND = "ground-";
/** Pictures go below this layer of our own style, so that boundaries and names of places stay above them. */
const ABOVE = "cell-lines";
const NONE: readonly BaseMapChoice[] = [];
/** After a failure's last sign the missing pictures are asked for again; a wall that nobody touches heals too. */
const AGAIN_MS = 30_000;

export interface BaseMaps {
  choices: readonly BaseMapChoice[];
  /** The one chosen in the URL (`base`); our own when that names none that is offered. */
  chosen: BaseMapChoice | null;
  choose: (id: string) => void;
}

/** The base maps that are offered and the one chosen. */
export function useBaseMaps(): BaseMaps {
  const { resource } = useResource<BaseMapChoice[]>("/basemaps");
  const { filters } = useView();
  const choices = resource.data ?? NONE;
  return {
    choices,
    chosen: choices.find((each) => each.id === filters.base) ?? choices.find((each) => each.id === OWN) ?? null,
    choose: (id) => changeFilters({ base: id === OWN ? null : id }),
  };
}

/** Whether a failure on the map is one of the pictures under it: our own map still stands there. */
export function ofGround(sourceId: unknown): boolean {
  return typeof sourceId === "string" && sourceId.startsWith(GROUND);
}

/** Strong pictures would outshine the dark wall. */
const PAINT = {
  dark: { "raster-fade-duration": 0, "raster-brightness-max": 0.72, "raster-saturation": -0.35 },
  light: { "raster-fade-duration": 0 },
};

/** Draws the chosen pictures over our own land and water; says whether they fail to come. */
export function useGround(map: BaseMap | null, chosen: BaseMapChoice | null, theme: BaseTheme): boolean {
  const [failing, setFailing] = useState(false);
  useEffect(() => {
    setFailing(false);
    if (!map || !chosen || chosen.layers.length === 0) return;
    let timer = 0;
    const failed = (event: { sourceId?: unknown }) => {
      if (!ofGround(event.sourceId)) return;
      setFailing(true);
      window.clearTimeout(timer);
      timer = window.setTimeout(() => {
        setFailing(false);
        for (const { id } of chosen.layers) map.refreshTiles(GROUND + id);
      }, AGAIN_MS);
    };
    map.on("error", failed);
    const below = map.getLayer(ABOVE) ? ABOVE : undefined;
    for (const { id, tiles, min_zoom, max_zoom } of chosen.layers) {
      map.addSource(GROUND + id, {
        type: "raster",
        tiles: [tiles],
        tileSize: 256,
        minzoom: min_zoom,
        maxzoom: max_zoom,
      });
      map.addLayer({ id: GROUND + id, type: "raster", source: GROUND + id, paint: PAINT[theme] }, below);
    }
    const names = chosen.labelled ? map.getStyle().layers.filter((layer) => layer.type === "symbol") : [];
    for (const { id } of names) map.setLayoutProperty(id, "visibility", "none");
    return () => {
      window.clearTimeout(timer);
      map.off("error", failed);
      if (!map.style) return; // the map itself has gone
      for (const { id } of names) if (map.getLayer(id)) map.setLayoutProperty(id, "visibility", "visible");
      for (const { id } of chosen.layers) {
        if (map.getLayer(GROUND + id)) map.removeLayer(GROUND + id);
        if (map.getSource(GROUND + id)) map.removeSource(GROUND + id);
      }
    };
  }, [map, chosen, theme]);
  return failing;
}
