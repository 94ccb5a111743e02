import { describe, expect, it } from "vitest";
import { formatCoordinate, fromZone40, parseCoordinate, toZone40 } from "./coordinates";
import { distance, pathLength, ringArea, selfCrossing } from "./measure";
import { formatAge, formatArea, formatLength } from "./units";

describe("coordinates", () => {
  it("meets the check value of EPSG:4528", () => {
    const [e, n] = toZone40({ lon: 120.3826, lat: 36.0671 });
    expect(e).toBeCloseTo(40534467.46, 1);
    expect(n).toBeCloseTo(3993055.81, 1);
  });
  it("comes back within a millimetre", () => {
    const at = { lon: 119.6, lat: 37.1 };
    const back = fromZone40(...toZone40(at));
    expect(back.lon).toBeCloseTo(at.lon, 8);
    expect(back.lat).toBeCloseTo(at.lat, 8);
  });
  it.each([
    ["120.3826, 36.0671"],
    ["36.0671 120.3826"],
    ["40534467.46, 3993055.81"],
    ["3993055.81 40534467.46"],
    ["120°22′57.4″E 36°04′01.6″N"],
    ["36°04'01.6\"N 120°22'57.4\"E"],
  ])("reads %s", (text) => {
    const at = parseCoordinate(text);
    expect(at?.lon).toBeCloseTo(120.3826, 4);
    expect(at?.lat).toBeCloseTo(36.0671, 4);
  });
  it.each(["", "青岛", "1", "1,2,3", "999, 36"])("refuses %s", (text) => {
    expect(parseCoordinate(text)).toBeNull();
  });
  it("carries seconds over", () => {
    expect(formatCoordinate({ lon: 119.999999, lat: -0.5 }, "dms")).toBe("120°00′00.0″E 0°30′00.0″S");
  });
});

describe("measure", () => {
  it("is geodesic", () => {
    expect(distance([120, 36], [121, 36])).toBeCloseTo(90163.8, -1);
    expect(distance([120, 36], [120, 36])).toBe(0);
    expect(
      pathLength([
        [120, 36],
        [120, 37],
      ]),
    ).toBeCloseTo(110975, -2);
  });
  it("gives the area of a 0.01° square within 0.5 %", () => {
    const area = ringArea([
      [120, 36],
      [120.01, 36],
      [120.01, 36.01],
      [120, 36.01],
    ]);
    const expected = distance([120, 36.005], [120.01, 36.005]) * distance([120, 36], [120, 36.01]);
    expect(Math.abs(area / expected - 1)).toBeLessThan(0.001);
  });
  it("knows a bow tie", () => {
    expect(
      selfCrossing([
        [0, 0],
        [1, 1],
        [1, 0],
        [0, 1],
      ]),
    ).toBe(true);
    expect(
      selfCrossing([
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 1],
      ]),
    ).toBe(false);
  });
});

describe("units", () => {
  it("picks what people read", () => {
    expect(formatLength(832.4)).toBe("832 米");
    expect(formatLength(1250)).toBe("1.25 公里");
    expect(formatLength(Number.NaN)).toBe("—");
    expect(formatArea(500)).toBe("500 平方米");
    expect(formatArea(20000 / 3)).toBe("10 亩");
    expect(formatArea(250_000)).toBe("25 公顷");
    expect(formatArea(420e6)).toBe("420 平方公里");
    expect(formatArea(250_000, "en")).toBe("25 ha");
    expect(formatAge(18)).toBe("18 秒");
    expect(formatAge(12_000)).toBe("3 小时 20 分");
  });
});
