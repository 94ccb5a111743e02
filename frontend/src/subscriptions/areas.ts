import type { Feature, FeatureCollection, Position } from "geojson";
import type { Subscription } from "../api/types";
import { type Position as Pair, ringArea, selfCrossing } from "../map/measure";

/** West, south, east, north. */
export type Box = [number, number, number, number];

/** The outer ring of a subscription's area, closed; null where it is the whole region. */
export function ringOf(area: Subscription["area"]): Position[] | null {
  const ring = area?.type === "Polygon" && Array.isArray(area.coordinates) ? area.coordinates[0] : null;
  return Array.isArray(ring) ? (ring as Position[]) : null;
}

/** A ring without its repeated last corner, as pairs. */
function corners(ring: readonly Position[]): Pair[] {
  const pairs = ring.map((at): Pair => [at[0] ?? 0, at[1] ?? 0]);
  const [first, last] = [pairs[0], pairs.at(-1)];
  return first && last && pairs.length > 1 && first[0] === last[0] && first[1] === last[1] ? pairs.slice(0, -1) : pairs;
}

/** Geodesic, in square metres. */
export function areaOf(ring: readonly Position[]): number {
  return ringArea(corners(ring));
}

export function crosses(ring: readonly Position[]): boolean {
  return selfCrossing(corners(ring));
}

export function boxOf(ring: readonly Position[]): Box | null {
  if (ring.length === 0) return null;
  const pairs = corners(ring);
  const lon = pairs.map((at) => at[0]);
  const lat = pairs.map((at) => at[1]);
  return [Math.min(...lon), Math.min(...lat), Math.max(...lon), Math.max(...lat)];
}

/** The areas of subscriptions for the map; the one that is being edited is left to the pen. */
export function areasOf(all: readonly Subscription[], chosen: number | null, edited: number | null): FeatureCollection {
  const features = all.flatMap((each): Feature[] => {
    const ring = each.id === edited ? null : ringOf(each.area);
    if (!ring) return [];
    return [
      {
        type: "Feature",
        geometry: { type: "Polygon", coordinates: [ring] },
        properties: { id: each.id, title: each.title, chosen: each.id === chosen, active: each.active },
      },
    ];
  });
  return { type: "FeatureCollection", features };
}
