import { describe, expect, it } from "vitest";
import { modelName } from "./Facts";

describe("the model of an observation", () => {
  it("is named once", () => {
    expect(modelName("smoke-fire", "smoke-fire / 1.1")).toBe("smoke-fire / 1.1");
    expect(modelName("viirs-active-fire", "C2")).toBe("viirs-active-fire C2");
  });
});
