import { describe, expect, it } from "vitest";
import type { Zone } from "../api/types";
import { boxOf, cornersOf, pathOf, penKey, shapeOf, whole, zonesOf } from "./shapes";

const SQUARE: [number, number][] = [
  [0.1, 0.1],
  [0.5, 0.1],
  [0.5, 0.5],
  [0.1, 0.5],
];

describe("shapes of zones", () => {
  it("closes a ring for the server and opens what comes back", () => {
    expect(cornersOf(shapeOf(SQUARE, "forbidden") as never)).toEqual(SQUARE);
    expect(cornersOf(shapeOf(SQUARE.slice(0, 2), "count") as never)).toEqual(SQUARE.slice(0, 2));
    expect(cornersOf({ type: "MultiPolygon", coordinates: [] })).toEqual([]);
    expect(cornersOf(null)).toEqual([]);
  });

  it("knows a whole shape from one that crosses itself or lacks corners", () => {
    const [a, b, c, d] = SQUARE as [[number, number], [number, number], [number, number], [number, number]];
    expect(whole(SQUARE, "forbidden")).toBe(true);
    expect(whole([a, c, b, d], "forbidden")).toBe(false);
    expect(whole([a, b], "crowd")).toBe(false);
    expect(whole([a, b], "count")).toBe(true);
  });

  it("ends with Enter only what is whole, and leaves the keys of buttons to them", () => {
    expect(penKey("Enter", false, SQUARE, "forbidden")).toBe("done");
    expect(penKey("Enter", false, SQUARE.slice(0, 2), "forbidden")).toBeNull();
    expect(penKey("Enter", true, SQUARE, "forbidden")).toBeNull();
    expect(penKey("Backspace", true, SQUARE, "forbidden")).toBeNull();
    expect(penKey("Backspace", false, SQUARE, "forbidden")).toEqual(SQUARE.slice(0, 3));
  });

  it("draws every part of an outline, closed where it is an area", () => {
    expect(pathOf({ type: "LineString", coordinates: SQUARE.slice(0, 2) }, 100, 50)).toBe("M10 5L50 5");
    const parts = { type: "MultiPolygon", coordinates: [[SQUARE], [SQUARE]] };
    expect(pathOf(parts, 10, 10).match(/Z/g)).toHaveLength(2);
    expect(pathOf(null, 10, 10)).toBe("");
  });

  it("puts on the map what was drawn there, less what the pen holds", () => {
    const zone = (id: number, camera_id: number | null) =>
      ({ id, camera_id, name: "x", enabled: true, shape: shapeOf(SQUARE, "forbidden") }) as unknown as Zone;
    const shown = zonesOf([zone(1, null), zone(2, 7), zone(3, null)], 1, 3);
    expect(shown.features.map((f) => f.properties?.id)).toEqual([1]);
    expect(shown.features[0]?.properties?.chosen).toBe(true);
    expect(boxOf(SQUARE)).toEqual([0.1, 0.1, 0.5, 0.5]);
    expect(boxOf([])).toBeNull();
  });
});
