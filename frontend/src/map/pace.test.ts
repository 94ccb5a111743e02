import { describe, expect, it } from "vitest";
import { apply, type Corners, css, mayDraw, middle, perspective, type Standing, uncovered } from "./pace";

const SCREEN: Corners = [
  [0, 0],
  [800, 0],
  [800, 600],
  [0, 600],
];

describe("a picture that is moved instead of drawn", () => {
  it("is shifted and enlarged as the camera was", () => {
    const to = SCREEN.map(([x, y]) => [x * 2 - 100, y * 2 + 30]) as unknown as Corners;
    const there = perspective(SCREEN, to);
    expect(there?.map((n) => Math.round(n * 1e6) / 1e6)).toEqual([2, 0, -100, 0, 2, 30, 0, 0]);
    expect(there && css(there)).toMatch(/^matrix3d\(2,/);
  });

  it("follows a tilted ground corner by corner, there and back", () => {
    const tilted: Corners = [
      [120, 60],
      [650, 40],
      [900, 640],
      [-90, 620],
    ];
    const there = perspective(SCREEN, tilted);
    const back = perspective(tilted, SCREEN);
    if (!there || !back) throw new Error("no perspective");
    SCREEN.forEach((corner, i) => {
      const [x, y] = apply(there, corner);
      expect(x).toBeCloseTo(tilted[i]?.[0] as number, 6);
      expect(y).toBeCloseTo(tilted[i]?.[1] as number, 6);
    });
    const [x, y] = apply(back, apply(there, [333, 222]));
    expect(x).toBeCloseTo(333, 6);
    expect(y).toBeCloseTo(222, 6);
  });

  it("is nothing where corners fall into a line", () => {
    expect(
      perspective(
        [
          [0, 0],
          [1, 1],
          [2, 2],
          [3, 3],
        ],
        SCREEN,
      ),
    ).toBeNull();
  });

  it("leaves half of the screen bare when it went half a screen away", () => {
    const away = SCREEN.map(([x, y]) => [x + 400, y]) as unknown as Corners;
    const back = perspective(away, SCREEN);
    expect(back && uncovered(back, 800, 600)).toBeCloseTo(4 / 9, 6);
  });
});

describe("when it is drawn anew", () => {
  const still: Standing = { cost: 400, busy: false, moving: false, still: 5000, since: 5000, bare: 0, levels: 0 };

  it("is every frame where drawing is cheap", () => {
    expect(mayDraw({ ...still, cost: 8, moving: true, still: 0, since: 1 })).toBe(true);
  });

  it("is at once when the hand has rested, pressed or not", () => {
    expect(mayDraw(still)).toBe(true);
    expect(mayDraw({ ...still, moving: true, still: 300 })).toBe(true);
    expect(mayDraw({ ...still, still: 40 })).toBe(160);
    expect(mayDraw({ ...still, cost: 3000, moving: true, still: 300 })).not.toBe(true);
  });

  it("is not while the hand moves, but for a screen that stands bare, and then seldom", () => {
    const moving = { ...still, cost: 200, moving: true, still: 5 };
    expect(mayDraw(moving)).toBeGreaterThan(0);
    expect(mayDraw(moving)).not.toBe(true);
    expect(mayDraw({ ...moving, bare: 0.5 })).toBe(true);
    expect(mayDraw({ ...moving, levels: -1.5 })).toBe(true);
    expect(mayDraw({ ...moving, bare: 0.5, cost: 400 })).not.toBe(true);
    expect(mayDraw({ ...moving, bare: 0.5, since: 700 })).not.toBe(true);
  });

  it("is never before the last drawing is finished, nor back to back while tiles arrive", () => {
    expect(mayDraw({ ...still, busy: true })).not.toBe(true);
    expect(mayDraw({ ...still, since: 150 })).toBe(250);
  });

  it("is judged by the median", () => {
    expect(middle([9, 1000, 7])).toBe(9);
    expect(middle([])).toBe(0);
  });
});
