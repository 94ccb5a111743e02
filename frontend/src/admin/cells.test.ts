import { describe, expect, it } from "vitest";
import { bounds, choose, editableRing, planFeatures, ready, withRing } from "./cells";

const ring = (west: number, east: number) => [
  [west, 36],
  [east, 36],
  [east, 36.1],
  [west, 36.1],
  [west, 36],
];
const island = {
  type: "MultiPolygon" as const,
  coordinates: [[ring(120, 120.01)], [ring(121, 121.5), ring(121.1, 121.2)]],
};

describe("the border that is edited", () => {
  it("is the outer ring of the largest part, and the rest stays", () => {
    expect(editableRing(island)).toEqual(ring(121, 121.5));
    const moved = withRing(island, ring(121, 121.6));
    expect(moved.coordinates).toEqual([[ring(120, 120.01)], [ring(121, 121.6), ring(121.1, 121.2)]]);
  });
  it("keeps nine decimals", () => {
    const fine = {
      type: "Polygon" as const,
      coordinates: [
        [
          [120.12345678912, 36],
          [121, 36],
          [121, 37],
          [120.12345678912, 36],
        ],
      ],
    };
    expect(editableRing(fine)[0]).toEqual([120.123456789, 36]);
  });
});

describe("what an action wants", () => {
  it("is one grid and a line, several grids, or a moved border", () => {
    expect([ready("split", 1, 2, 0), ready("split", 1, 0, 0), ready("split", 2, 2, 0)]).toEqual([true, false, false]);
    expect([ready("merge", 2, 0, 0), ready("merge", 1, 0, 0)]).toEqual([true, false]);
    expect([ready("redraw", 1, 0, 1), ready("redraw", 1, 0, 0)]).toEqual([true, false]);
  });
  it("takes a second choice back, and a split has one grid only", () => {
    expect(choose("merge", [1], 2)).toEqual([1, 2]);
    expect(choose("merge", [1, 2], 1)).toEqual([2]);
    expect(choose("split", [1], 2)).toEqual([2]);
  });
});

describe("a plan on the map", () => {
  it("draws the new grids, then what blocks and what is worth knowing", () => {
    const cell = { code: "370202001001007", name: "", area_m2: 1, geometry: island };
    const objection = { kind: "gap", blocking: true, codes: [], area_m2: 1, detail: "", remedy: "", geometry: island };
    const plan = {
      action: "split" as const,
      kind: "management" as const,
      region_code: "",
      effective: "2026-01-01",
      before: [],
      after: [cell],
      objections: [objection, { ...objection, blocking: false }],
      possible: false,
      tolerance_m: 0.05,
    };
    const drawn = planFeatures(plan).features.map((f) => [f.properties?.role, f.properties?.label]);
    expect(drawn).toEqual([
      ["after", "007"],
      ["blocking", ""],
      ["notice", ""],
    ]);
    expect(planFeatures(null).features).toEqual([]);
    expect(bounds(island)).toEqual([120, 36, 121.5, 36.1]);
  });
});
