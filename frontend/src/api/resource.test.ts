import { describe, expect, it, vi } from "vitest";
import { read } from "./client";
import { keptCopy, newest, type Resource } from "./resource";

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

describe("an answer that was under way while something was written", () => {
  it("is asked for again, since it may be from before", async () => {
    let writes = 0;
    const answers = ["before", "between", "after"];
    const ask = vi.fn(async () => {
      const answer = answers[ask.mock.calls.length - 1];
      if (answer !== "after") writes += 1;
      return answer;
    });
    expect(await newest(ask, () => writes)).toBe("after");
    expect(ask).toHaveBeenCalledTimes(3);
  });
  it("is taken as it is when nothing was", async () => {
    const ask = vi.fn(async () => 7);
    expect(await newest(ask, () => 4)).toBe(7);
    expect(ask).toHaveBeenCalledTimes(1);
  });
});
