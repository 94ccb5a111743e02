import { describe, expect, it } from "vitest";
import type { LayerDeclaration } from "../api/types";
import { type Drawing, type Hydrated, hydrate } from "./deckspec";
import { FUNCTIONS } from "./registry";

const DRAWING: Drawing = { opacity: 0.5, scale: 1, turn: 0, beforeId: "names" };

function declared(deck: Record<string, unknown>, more: Partial<LayerDeclaration> = {}): LayerDeclaration {
  return {
    id: "grids",
    title: "网格",
    title_en: "Grids",
    group: "places",
    deck,
    source: { type: "mvt", url: "/tiles/grids/{z}/{x}/{y}.mvt" },
    legend: [],
    tooltip: [{ field: "name", label: "名称", label_en: "Name", unit: null }],
    min_zoom: 9,
    max_zoom: 16,
    visible: { wall: true, review: true, field: false },
    refreshed_by: [],
    attribution: "",
    keys: "wangge wg",
    style: null,
    terms: { owner: "", owner_en: "", licence: "", sensitivity: "internal", vintage: "", lineage: [] },
    thumbnail: null,
    contract: {
      updated_at: null,
      count: 3,
      state: "ok",
      freshness: "ok",
      completeness: "ok",
      validity: "ok",
      lineage: "ok",
      checked_at: null,
      detail: "",
    },
    live: false,
    simulated: true,
    ...more,
  };
}

function propsOf(hydrated: Hydrated): Record<string, unknown> {
  if (!hydrated.layer) throw new Error(hydrated.problem);
  return hydrated.layer.props as unknown as Record<string, unknown>;
}

describe("deckspec", () => {
  it("hydrates an MVT layer with our own address, worker and opacity", () => {
    const hydrated = hydrate(
      declared({
        "@@type": "MVTLayer",
        id: "x",
        data: "https://elsewhere/x",
        getFillColor: "@@=[properties.n, 0, 0]",
        opacity: 0.8,
      }),
      DRAWING,
    );
    const props = propsOf(hydrated);
    expect(hydrated.layer?.id).toBe("grids");
    expect(props.data).toBe("/tiles/grids/{z}/{x}/{y}.mvt");
    expect(props.opacity).toBeCloseTo(0.4);
    expect(props.beforeId).toBe("names");
    expect(JSON.stringify(props.loadOptions)).not.toContain("http");
    expect((props.getFillColor as (row: unknown) => number[])({ properties: { n: 7 } })).toEqual([7, 0, 0]);
  });
  it("never evaluates what stands in data", () => {
    const data = [{ "@@type": "Evil", x: "@@=properties.(", "@@function": "fetch" }];
    const live = declared({ "@@type": "GeoJsonLayer", data }, { source: { type: "geojson", url: "/x" } });
    const rows = { type: "FeatureCollection", features: [] };
    const hydrated = hydrate(live, { ...DRAWING, data: rows });
    expect(hydrated.problem).toBeNull();
    expect(propsOf(hydrated).data).toBe(rows);
  });
  it.each([
    [{ "@@type": "FileLayer" }, "FileLayer"],
    [{ "@@type": "GeoJsonLayer", extensions: [{ "@@type": "Evil" }] }, "Evil"],
    [{ "@@type": "GeoJsonLayer", getRadius: { "@@function": "fetch" } }, "fetch"],
    [{ "@@type": "GeoJsonLayer", getRadius: "@@=properties.(" }, ""],
  ])("refuses %j and says why", (deck, name) => {
    const { layer, problem } = hydrate(declared(deck), DRAWING);
    expect(layer).toBeNull();
    expect(problem).toContain(name);
  });
  it("takes no data from another origin", () => {
    const source = { type: "mvt" as const, url: "https://tiles.example/{z}/{x}/{y}.mvt" };
    expect(hydrate(declared({ "@@type": "MVTLayer" }, { source }), DRAWING).problem).toContain("another origin");
  });
  it("reads a live layer again when its turn grows", () => {
    const live = declared({ "@@type": "MVTLayer" }, { live: true });
    expect(propsOf(hydrate(live, { ...DRAWING, turn: 3 })).data).toContain("?turn=3");
  });
  it("draws pixel sizes larger on a 4K wall", () => {
    const hydrated = hydrate(declared({ "@@type": "MVTLayer", lineWidthMinPixels: 1 }), { ...DRAWING, scale: 2 });
    expect(propsOf(hydrated).lineWidthMinPixels).toBe(2);
  });
});

describe("accessors", () => {
  it("byValue and steps read properties", () => {
    const byValue = FUNCTIONS.byValue?.({ field: "use", colors: { office: [1, 2, 3] }, fallback: [9, 9, 9] }) as (
      r: unknown,
    ) => number[];
    expect(byValue({ properties: { use: "office" } })).toEqual([1, 2, 3, 255]);
    expect(byValue({ properties: {} })).toEqual([9, 9, 9, 255]);
    const steps = FUNCTIONS.steps?.({
      field: "n",
      stops: [
        [0, [0, 0, 0]],
        [5, [5, 5, 5]],
      ],
    }) as (r: unknown) => number[];
    expect(steps({ n: 7 })).toEqual([5, 5, 5, 255]);
    expect(steps({ n: -1 })).toEqual([0, 0, 0, 0]);
  });
});
