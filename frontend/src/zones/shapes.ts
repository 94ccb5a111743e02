import type { Feature, FeatureCollection, Geometry, Position } from "geojson";
import type { Zone } from "../api/types";
import { type Position as Pair, selfCrossing } from "../map/measure";

export type Purpose = Zone["purpose"];

/** Corners of a shape from the server, without the repeated one that closes a ring; empty for anything else. */
export function cornersOf(shape: { [key: string]: unknown } | null): Pair[] {
  const coordinates = shape?.coordinates;
  const path = shape?.type === "Polygon" && Array.isArray(coordinates) ? coordinates[0] : coordinates;
  if (!Array.isArray(path) || (shape?.type !== "Polygon" && shape?.type !== "LineString")) return [];
  const pairs = (path as Position[]).map((at): Pair => [at[0] ?? 0, at[1] ?? 0]);
  return shape.type === "Polygon" ? pairs.slice(0, -1) : pairs;
}

/** What the server takes: a closed polygon, or a line for counting. */
export function shapeOf(corners: readonly Pair[], purpose: Purpose): Geometry {
  if (purpose === "count") return { type: "LineString", coordinates: [...corners] };
  return { type: "Polygon", coordinates: [[...corners, corners[0] ?? [0, 0]]] };
}

export function whole(corners: readonly Pair[], purpose: Purpose): boolean {
  return purpose === "count" ? corners.length > 1 : corners.length > 2 && !selfCrossing(corners);
}

/** What a key says to the pen: that the shape is done, or the corners that are left; null where it says nothing. */
export function penKey(
  key: string,
  inControl: boolean,
  corners: readonly Pair[],
  purpose: Purpose,
): "done" | Pair[] | null {
  if (inControl) return null;
  if (key === "Backspace") return corners.slice(0, -1);
  return key === "Enter" && whole(corners, purpose) ? "done" : null;
}

/** The paths of an outline in a picture, as an SVG path over a picture of `width` × `height`. */
export function pathOf(outline: { [key: string]: unknown } | null, width: number, height: number): string {
  const rings: Position[][] = [];
  const walk = (value: unknown): void => {
    if (!Array.isArray(value)) return;
    const inner = value[0];
    if (Array.isArray(inner) && typeof inner[0] === "number") rings.push(value as Position[]);
    else value.forEach(walk);
  };
  walk(outline?.coordinates);
  const closed = String(outline?.type ?? "").endsWith("Polygon") ? "Z" : "";
  return rings
    .map(
      (ring) =>
        ring.map(([x, y], i) => `${i === 0 ? "M" : "L"}${(x ?? 0) * width} ${(y ?? 0) * height}`).join("") + closed,
    )
    .join("");
}

/** Zones on the map; the one that is being edited is left to the pen. */
export function zonesOf(all: readonly Zone[], chosen: number | null, edited: number | null): FeatureCollection {
  const features = all.flatMap((zone): Feature[] => {
    if (zone.camera_id !== null || zone.id === edited) return [];
    const properties = { id: zone.id, title: zone.name, chosen: zone.id === chosen, active: zone.enabled };
    return [{ type: "Feature", geometry: zone.shape as unknown as Geometry, properties }];
  });
  return { type: "FeatureCollection", features };
}

/** West, south, east, north of some corners. */
export function boxOf(corners: readonly Pair[]): [number, number, number, number] | null {
  if (corners.length === 0) return null;
  const lon = corners.map((at) => at[0]);
  const lat = corners.map((at) => at[1]);
  return [Math.min(...lon), Math.min(...lat), Math.max(...lon), Math.max(...lat)];
}
