/** Grids of the editor as GeoJSON: what is chosen, what would come, what stands against it. Pure; positions are `[lon, lat]` degrees. */
import type { Feature, FeatureCollection, Geometry, MultiPolygon, Polygon, Position } from "geojson";
import type { CellOut, CellPlan } from "../api/types";

export type Action = "split" | "merge" | "redraw";

/** Decimals of a degree that a drawn corner keeps (0.1 mm), as the server rounds. */
const DECIMALS = 9;

export function collection(features: Feature[]): FeatureCollection {
  return { type: "FeatureCollection", features };
}

export function shapeOf(cell: { geometry: Record<string, unknown> }): Geometry {
  return cell.geometry as unknown as Geometry;
}

/** All grids, each saying whether it is chosen. */
export function cellFeatures(cells: readonly CellOut[], chosen: readonly number[]): FeatureCollection {
  return collection(
    cells.map((cell) => ({
      type: "Feature",
      id: cell.id,
      geometry: shapeOf(cell),
      properties: { id: cell.id, name: cell.name, code: cell.code, chosen: chosen.includes(cell.id) },
    })),
  );
}

/** The new grids of a plan and, above them, what stands against it. */
export function planFeatures(plan: CellPlan | null): FeatureCollection {
  if (!plan) return collection([]);
  return collection([
    ...plan.after.map(
      (cell): Feature => ({
        type: "Feature",
        geometry: shapeOf(cell),
        properties: { role: "after", label: cell.code.slice(-3) },
      }),
    ),
    ...plan.objections.map(
      (objection): Feature => ({
        type: "Feature",
        geometry: shapeOf(objection),
        properties: { role: objection.blocking ? "blocking" : "notice", label: "" },
      }),
    ),
  ]);
}

function polygons(geometry: Geometry): Position[][][] {
  if (geometry.type === "Polygon") return [geometry.coordinates];
  return geometry.type === "MultiPolygon" ? geometry.coordinates : [];
}

function extent(ring: readonly Position[]): number {
  const lons = ring.map((p) => p[0] ?? 0);
  const lats = ring.map((p) => p[1] ?? 0);
  return (Math.max(...lons) - Math.min(...lons)) * (Math.max(...lats) - Math.min(...lats));
}

/** The number of the part with the largest box: the one whose border is edited. */
function mainPart(parts: readonly Position[][][]): number {
  let best = 0;
  parts.forEach((part, i) => {
    if (extent(part[0] ?? []) > extent(parts[best]?.[0] ?? [])) best = i;
  });
  return best;
}

/** The border that is edited: the outer ring of the largest part, rounded as the drawing tool wants it. */
export function editableRing(geometry: Geometry): Position[] {
  const parts = polygons(geometry);
  const ring = parts[mainPart(parts)]?.[0] ?? [];
  return ring.map(([lon, lat]) => [Number((lon ?? 0).toFixed(DECIMALS)), Number((lat ?? 0).toFixed(DECIMALS))]);
}

/** The grid with that border in place of its old one; its other parts and its holes stay. */
export function withRing(geometry: Geometry, ring: Position[]): Polygon | MultiPolygon {
  const parts = polygons(geometry);
  const at = mainPart(parts);
  const coordinates = parts.map((part, i) => (i === at ? [ring, ...part.slice(1)] : part));
  return { type: "MultiPolygon", coordinates: coordinates.length > 0 ? coordinates : [[ring]] };
}

/** West, south, east and north of a shape. */
export function bounds(geometry: Geometry): [number, number, number, number] {
  const points: Position[] = [];
  const walk = (value: unknown): void => {
    if (!Array.isArray(value)) return;
    if (typeof value[0] === "number") points.push(value as Position);
    else value.forEach(walk);
  };
  if ("coordinates" in geometry) walk(geometry.coordinates);
  const lons = points.map((p) => p[0] ?? 0);
  const lats = points.map((p) => p[1] ?? 0);
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

/** How many grids an action wants, and whether it wants a line or a moved border as well. */
export function ready(action: Action, chosen: number, line: number, moved: number): boolean {
  if (action === "split") return chosen === 1 && line > 1;
  if (action === "merge") return chosen > 1;
  return chosen > 0 && moved > 0;
}

/** What choosing a grid makes of the choice: a split has one grid, the others any number; again takes it back. */
export function choose(action: Action, chosen: readonly number[], id: number): number[] {
  if (chosen.includes(id)) return chosen.filter((each) => each !== id);
  return action === "split" ? [id] : [...chosen, id];
}
