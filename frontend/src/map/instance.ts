import type { Map as BaseMap } from "maplibre-gl";

/** The one map on screen, for panels that move it. Null until its style is drawn. */
let current: BaseMap | null = null;

export function setCurrentMap(map: BaseMap | null): void {
  current = map;
  window.__hdq.map = map;
}

export function currentMap(): BaseMap | null {
  return current;
}

/** Fly there once; with reduced motion, jump. `offset` in pixels keeps the place clear of a card. */
export function flyTo(to: { lon: number; lat: number; zoom?: number }, offset: [number, number] = [0, 0]): void {
  const map = current;
  if (!map) return;
  const zoom = to.zoom ?? Math.max(map.getZoom(), 14.5);
  map.flyTo({ center: [to.lon, to.lat], zoom, offset, duration: 900, essential: false });
}

/** Show this rectangle (west, south, east, north). */
export function fitTo(bounds: [number, number, number, number], padding = 48): void {
  current?.fitBounds(bounds, { padding, duration: 700, maxZoom: 16 });
}
