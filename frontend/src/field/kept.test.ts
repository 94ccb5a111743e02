import { describe, expect, it } from "vitest";
import { keepsAnswer, keepsTile, stampKept } from "./kept";

const at = (path: string) => new URL(path, "http://city.test");
const asked = (path: string, from: string) =>
  keepsAnswer({ url: at(path), request: { referrer: from && at(from).href } as Request });

describe("what a phone keeps", () => {
  it("keeps answers only for the field face", () => {
    expect(asked("/api/tasks?lon=120.3", "/field?tab=map")).toBe(true);
    expect(asked("/api/cases/12", "/field")).toBe(true);
    for (const face of ["/wall", "/review", "/admin", "/fieldwork", "/login?next=/field", ""]) {
      expect(asked("/api/tasks", face)).toBe(false);
      expect(asked("/api/me", face)).toBe(false);
    }
    expect(asked("/api/alerts", "/field")).toBe(false);
    expect(asked("/api/cases/12/steps", "/field")).toBe(false);
  });
  it("keeps tiles of the quiet base map only", () => {
    for (const name of ["land", "roads", "buildings", "forest_zones"]) {
      expect(keepsTile({ url: at(`/tiles/${name}/9/1/2.mvt`) })).toBe(true);
    }
    for (const name of ["alerts", "cases", "cells", "units", "cameras", "patches", "observations_heat"]) {
      expect(keepsTile({ url: at(`/tiles/${name}/9/1/2.mvt`) })).toBe(false);
    }
  });
  it("marks what it keeps and keeps no refusal", async () => {
    const kept = await stampKept({ response: Response.json({ a: 1 }) });
    expect(Number(kept?.headers.get("X-HDQ-Kept-At"))).toBeGreaterThan(Date.now() - 5000);
    expect(await kept?.json()).toEqual({ a: 1 });
    expect(await stampKept({ response: new Response("", { status: 503 }) })).toBeNull();
  });
  it("stands alone as text, as the worker gets it", () => {
    for (const each of [keepsAnswer, keepsTile, stampKept]) {
      expect(() => new Function(`return (${each.toString()})`)()).not.toThrow();
    }
  });
});
