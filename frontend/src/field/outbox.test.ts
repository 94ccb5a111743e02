import { describe, expect, it } from "vitest";
import { Problem } from "../api/problem";
import type { Category } from "../api/types";
import { isFinal } from "./outbox";
import { metresPerPixel } from "./PinMap";
import { ordered } from "./Report";

const category = (code: string): Category => ({
  code,
  major: "",
  name: code,
  name_en: code,
  icon: "",
  clock: "work_hours",
  limit_value: 1,
  provenance: "",
});

describe("outbox", () => {
  it("gives up only on refusals that time cannot heal", () => {
    for (const status of [400, 404, 409, 422]) expect(isFinal(new Problem(status, {})), String(status)).toBe(true);
    for (const status of [0, 401, 408, 429, 500, 503])
      expect(isFinal(new Problem(status, {})), String(status)).toBe(false);
    expect(isFinal(new Problem(409, { type: "/problems/in-progress" }))).toBe(false);
  });
});

describe("report", () => {
  it("puts the six everyday kinds first and keeps the others by code", () => {
    const codes = ordered(["99001", "04080", "01001", "01002"].map(category)).map((item) => item.code);
    expect(codes).toEqual(["01002", "04080", "01001", "99001"]);
  });
  it("knows how far a finger reaches", () => {
    expect(metresPerPixel(36, 16)).toBeCloseTo(0.966, 2);
  });
});
