import { describe, expect, it } from "vitest";
import type { LayerDeclaration } from "../api/types";
import { matches } from "./LayerTree";
import { steady } from "./useCatalogue";

const cameras = {
  id: "cameras",
  title: "摄像机",
  title_en: "Cameras",
  keys: "shexiangji sxj",
  terms: { owner: "公安局", owner_en: "Public Security Bureau" },
  contract: { state: "ok", count: 3 },
} as unknown as LayerDeclaration;

describe("catalogue", () => {
  it("finds a layer by title, English, pinyin, initials, owner, and several words at once", () => {
    for (const word of ["摄像", "camera", "shexiang", "sxj", "公安", "sxj cameras"])
      expect(matches(cameras, word)).toBe(true);
    expect(matches(cameras, "林班")).toBe(false);
    expect(matches(cameras, "")).toBe(true);
  });

  it("keeps the object of a layer when only its contract is new, and gives a new one when it is declared anew", () => {
    const given = new Map();
    const [first] = steady([cameras], given);
    const counted = { ...cameras, contract: { ...cameras.contract, state: "stale", count: 4 } } as LayerDeclaration;
    expect(steady([counted], given)[0]).toBe(first);
    const renamed = { ...counted, title: "监控" } as LayerDeclaration;
    expect(steady([renamed], given)[0]).toBe(renamed);
  });
});
