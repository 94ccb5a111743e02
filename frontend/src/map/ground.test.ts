import { describe, expect, it } from "vitest";
import { ofGround } from "./ground";

describe("failures of pictures under the map", () => {
  it("are told apart from those of our own tiles", () => {
    expect(ofGround("ground-tianditu-vec")).toBe(true);
    expect(ofGround("buildings")).toBe(false);
    expect(ofGround(undefined)).toBe(false);
  });
});
