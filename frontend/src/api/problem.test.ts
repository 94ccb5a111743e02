import { describe, expect, it } from "vitest";
import { isRefused, Problem } from "./problem";

describe("a write", () => {
  it("keeps its key while nobody knows whether it stands", () => {
    for (const status of [0, 500, 503]) expect(isRefused(new Problem(status, {})), String(status)).toBe(false);
    expect(isRefused(new Problem(409, { type: "/problems/in-progress" }))).toBe(false);
    for (const status of [403, 404, 409, 422]) expect(isRefused(new Problem(status, {})), String(status)).toBe(true);
  });
});
