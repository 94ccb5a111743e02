import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { MASK_COLOURS } from "./ShowChooser";

it("names the colours that masks are painted in", () => {
  const painted = readFileSync("../imagery/scenes/veils.py", "utf8").match(/"#[0-9A-F]{6}"/g);
  expect(painted).toEqual(Object.values(MASK_COLOURS).map((colour) => `"${colour}"`));
});
