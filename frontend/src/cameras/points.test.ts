import { describe, expect, it } from "vitest";
import { readPoints } from "./points";

describe("points of a camera", () => {
  it("are control points or a horizon, in pixels or fractions", () => {
    expect(readPoints("x,y,lon,lat\n960,540,120.38,36.06", 1920, 1080)).toEqual({
      control: [{ x: 0.5, y: 0.5, lon: 120.38, lat: 36.06 }],
      horizon: [],
    });
    expect(readPoints("0.1,0.2\n0.3\t0.4\n", 1920, 1080)?.horizon).toEqual([
      { x: 0.1, y: 0.2 },
      { x: 0.3, y: 0.4 },
    ]);
  });
  it("are boxes of a vehicle and where it was then", () => {
    const read = readPoints("at,left,top,right,bottom,lon,lat\n1642061692,192,108,384,216,120.38,36.06", 1920, 1080);
    expect(read?.vehicle).toEqual({
      boxes: [{ at: "2022-01-13T08:14:52.000Z", left: 0.1, top: 0.1, right: 0.2, bottom: 0.2 }],
      positions: [{ at: "2022-01-13T08:14:52.000Z", lon: 120.38, lat: 36.06 }],
    });
    expect(readPoints("2022-01-13T16:14:52+08:00,0.1,0.1,0.2,0.2,120.38,36.06", 10, 10)?.vehicle).toEqual(
      read?.vehicle,
    );
    expect(readPoints("soon,0.1,0.1,0.2,0.2,120.38,36.06", 10, 10)).toBeNull();
  });
  it("are nothing where rows differ or hold words", () => {
    for (const text of ["", "x,y", "1,2,3", "1,2\n1,2,3,4", "1,a\n2,b\n3,c"])
      expect(readPoints(text, 10, 10)).toBeNull();
  });
});
