import { describe, expect, it } from "vitest";
import { forgetRead } from "./session";

describe("another person at the same device", () => {
  it("is shown nothing that was kept for the one before", async () => {
    const dropped: string[] = [];
    await forgetRead({ delete: async (name) => dropped.push(name) > 0 });
    expect(dropped.sort()).toEqual(["hdq-answers", "hdq-tiles"]);
    await forgetRead(undefined);
  });
});
