import { describe, expect, it } from "vitest";
import type { Subscription } from "../api/types";
import { areaOf, areasOf, boxOf, crosses, ringOf } from "./areas";

const RING = [
  [120.3, 36.0],
  [120.4, 36.0],
  [120.4, 36.1],
  [120.3, 36.1],
  [120.3, 36.0],
];
const AREA = { type: "Polygon", coordinates: [RING] };

describe("areas of subscriptions", () => {
  it("are measured on the ellipsoid", () => {
    expect(areaOf(RING) / 1e6).toBeCloseTo(100.1, 0);
    expect(areaOf(RING.slice(0, 4))).toBe(areaOf(RING));
  });
  it("may not cross themselves", () => {
    expect(crosses(RING)).toBe(false);
    expect(crosses([RING[0], RING[2], RING[1], RING[3]] as number[][])).toBe(true);
  });
  it("are drawn where there is one and it is not being edited", () => {
    const all = [
      { id: 1, title: "a", area: AREA, active: true },
      { id: 2, title: "b", area: null, active: true },
      { id: 3, title: "c", area: AREA, active: false },
    ] as unknown as Subscription[];
    expect(areasOf(all, 1, null).features.map((each) => each.properties?.id)).toEqual([1, 3]);
    expect(areasOf(all, 1, 3).features).toHaveLength(1);
    expect(ringOf(null)).toBeNull();
    expect(boxOf(RING)).toEqual([120.3, 36.0, 120.4, 36.1]);
    expect(boxOf([])).toBeNull();
  });
});
