import { describe, expect, it } from "vitest";
import { WORDS, type WordTree } from "./index";
import { side } from "./side";
import { clockTime, fullTime } from "./time";

function keys(tree: WordTree, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === "string") found.set(prefix + key, value);
    else for (const [path, text] of keys(value, `${prefix}${key}.`)) found.set(path, text);
  }
  return found;
}

const sources = import.meta.glob<string>(["../**/*.{ts,tsx}", "!../**/*.test.*"], {
  eager: true,
  query: "?raw",
  import: "default",
});
const known = new Set(Object.entries(WORDS).flatMap(([folder, words]) => [...keys(words.zh, `${folder}.`).keys()]));

describe("words", () => {
  it.each(Object.entries(WORDS))("%s has every key in both languages, none empty", (_folder, words) => {
    const [zh, en] = [keys(words.zh), keys(words.en)];
    expect([...en.keys()].sort()).toEqual([...zh.keys()].sort());
    for (const [key, text] of [...zh, ...en]) expect(text.trim(), key).not.toBe("");
  });
  it.each(Object.entries(WORDS))("%s uses the same values in both languages", (_folder, words) => {
    const values = (text: string) => [...text.matchAll(/{{(\w+)}}/g)].map((m) => m[1]).sort();
    const en = keys(words.en);
    for (const [key, text] of keys(words.zh)) expect(values(en.get(key) ?? ""), key).toEqual(values(text));
  });
  it("knows every key that the code asks for", () => {
    const missing: string[] = [];
    for (const [path, source] of Object.entries(sources)) {
      for (const [, key] of source.matchAll(/\bt\("([a-z][\w]*\.[\w.]+)"/g)) {
        if (key && !known.has(key)) missing.push(`${path}: ${key}`);
      }
    }
    expect(missing).toEqual([]);
  });
});

describe("time", () => {
  it("is Shanghai's, whatever the browser's zone", () => {
    expect(clockTime("2026-03-01T16:05:09Z", true)).toBe("00:05:09");
    expect(fullTime("2026-03-01T16:05:09Z")).toBe("2026-03-02 00:05:09");
  });
});

describe("side", () => {
  it("takes the half in the language now, and all of what is no pair", () => {
    expect(side("坐标不符 EPSG:4326 · the coordinates contradict EPSG:4326", "zh")).toBe("坐标不符 EPSG:4326");
    expect(side("坐标不符 · the coordinates contradict it", "en")).toBe("the coordinates contradict it");
    expect(side("空闲车辆 · vehicles: 0/2", "zh")).toBe("空闲车辆 · vehicles: 0/2");
    expect(side("市南区 · 香港中路街道", "en")).toBe("市南区 · 香港中路街道");
    expect(side("plain", "zh")).toBe("plain");
  });
});
