import { describe, expect, it } from "vitest";
import { stillChecking } from "../alerts/Facts";
import { listOf } from "./ListBehind";

describe("the list behind a figure", () => {
  it("asks for exactly what the figure names, and all of it", () => {
    expect(listOf({ list_url: "/api/alerts?state=live" })).toEqual({
      path: "/alerts",
      query: { state: ["live"], limit: ["500"] },
    });
    expect(listOf({ list_url: "/api/alerts?state=open&state=acknowledged&limit=9" }).query).toEqual({
      state: ["open", "acknowledged"],
      limit: ["9"],
    });
    expect(listOf({ list_url: "/api/units" })).toEqual({ path: "/units", query: {} });
  });
});

describe("an alert without a line from the registers", () => {
  const opened_at = "2026-05-01T00:00:00Z";
  const at = (seconds: number) => Date.parse(opened_at) + seconds * 1000;
  it("is still being checked for half a minute, then has nothing on record", () => {
    expect(stillChecking({ legality: [], opened_at }, at(5))).toBe(true);
    expect(stillChecking({ legality: [], opened_at }, at(31))).toBe(false);
    const line = { verdict: "context" } as never;
    expect(stillChecking({ legality: [line], opened_at }, at(5))).toBe(false);
  });
});
