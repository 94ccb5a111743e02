import type { Feature, FeatureCollection, Position } from "geojson";

/** Both ends of each shift as points: where a row lies as declared, and where it is proposed to lie. */
export function ends(vectors: FeatureCollection): FeatureCollection {
  const features: Feature[] = [];
  const add = (coordinates: Position | undefined, proposed: boolean) => {
    if (coordinates)
      features.push({ type: "Feature", geometry: { type: "Point", coordinates }, properties: { proposed } });
  };
  for (const { geometry } of vectors.features) {
    if (geometry.type === "LineString") {
      add(geometry.coordinates[0], false);
      add(geometry.coordinates.at(-1), true);
    } else if (geometry.type === "Point") add(geometry.coordinates, true);
  }
  return { type: "FeatureCollection", features };
}
