import { describe, expect, it } from "vitest";
import { EMPTY_VIEW, formatView, parseView, selected, type View } from "./view";

describe("view in the URL", () => {
  it("survives the round trip", () => {
    const view: View = {
      camera: { lon: 120.38264, lat: 36.0671, zoom: 12.5, pitch: 45, bearing: -20 },
      time: { live: false, from: Date.UTC(2026, 2, 1), to: Date.UTC(2026, 2, 2) },
      layers: { alerts: 1, "buildings-3d": 0.6 },
      selection: "alert:0190-ab",
      filters: { kind: "fire", q: "市南 & co" },
    };
    expect(parseView(formatView(view))).toEqual(view);
  });
  it("is empty for the default view", () => {
    expect(formatView(EMPTY_VIEW)).toBe("");
    expect(parseView("")).toEqual(EMPTY_VIEW);
  });
  it("keeps 'no layer at all' apart from 'the default layers'", () => {
    expect(parseView(formatView({ ...EMPTY_VIEW, layers: {} })).layers).toEqual({});
  });
  it.each(["?c=999,36,10", "?c=a,b,c", "?c=120,36", "?t=yesterday", "?t=2026-03-02~2026-03-01"])(
    "drops %s",
    (search) => {
      expect(parseView(search)).toEqual(EMPTY_VIEW);
    },
  );
  it("splits a selection", () => {
    expect(selected({ ...EMPTY_VIEW, selection: "case:7:2" })).toEqual({ kind: "case", id: "7:2" });
    expect(selected({ ...EMPTY_VIEW, selection: "none" })).toBeNull();
  });
});
