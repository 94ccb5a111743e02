import type { FeatureCollection } from "geojson";
import { describe, expect, it } from "vitest";
import { ends } from "./shifts";

describe("shift vectors", () => {
  it("have two ends, and one where the declared place is nowhere on Earth", () => {
    const vectors: FeatureCollection = {
      type: "FeatureCollection",
      features: [
        {
          type: "Feature",
          geometry: {
            type: "LineString",
            coordinates: [
              [120.1, 36],
              [120.2, 36.1],
            ],
          },
          properties: {},
        },
        { type: "Feature", geometry: { type: "Point", coordinates: [120.3, 36.2] }, properties: {} },
      ],
    };
    expect(ends(vectors).features.map((f) => [f.properties?.proposed, f.geometry])).toEqual([
      [false, { type: "Point", coordinates: [120.1, 36] }],
      [true, { type: "Point", coordinates: [120.2, 36.1] }],
      [true, { type: "Point", coordinates: [120.3, 36.2] }],
    ]);
  });
});
