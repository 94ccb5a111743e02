import { describe, expect, it, vi } from "vitest";
import { read } from "./client";
import { keptCopy, type Resource } from "./resource";

describe("an answer kept on the device", () => {
  it("is told apart from one of the server", async () => {
    const fetcher = vi.spyOn(globalThis, "fetch");
    fetcher.mockResolvedValueOnce(Response.json([1]));
    expect(await read("/tasks")).toEqual({ data: [1], keptAt: null });
    fetcher.mockResolvedValueOnce(Response.json([1], { headers: { "X-HDQ-Kept-At": "1700000000000" } }));
    expect(await read("/tasks")).toEqual({ data: [1], keptAt: 1_700_000_000_000 });
    fetcher.mockRestore();
  });
  it("is stale with its own time and replaces nothing newer", () => {
    const loading: Resource<number> = { state: "loading", data: null, problem: null, at: null };
    expect(keptCopy(loading, 1, 500)).toMatchObject({ state: "stale", data: 1, at: 500 });
    const newer: Resource<number> = { state: "ready", data: 2, problem: null, at: 900 };
    expect(keptCopy(newer, 1, 500)).toMatchObject({ state: "stale", data: 2, at: 900 });
  });
});
