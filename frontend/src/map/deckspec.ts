import type { Layer } from "@deck.gl/core";
import { JSONConfiguration, JSONConverter } from "@deck.gl/json";
import { BitmapLayer } from "@deck.gl/layers";
import mvtWorker from "@loaders.gl/mvt/mvt-worker.js?url";
import type { LayerDeclaration } from "../api/types";
import { EXTENSION_CLASSES, FUNCTIONS, LAYER_CLASSES } from "./registry";

/** How a declared layer is to be drawn now. */
export interface Drawing {
  opacity: number;
  /** Factor for everything sized in pixels (a 4K wall draws twice as large). */
  scale: number;
  /** Grows when a live layer must be read again; it becomes part of the address. */
  turn: number;
  /** Base map layer under which flat layers are drawn, so that place names stay readable. */
  beforeId: string | undefined;
  /** Hears of a tile that could not be read. */
  onTileError?: (error: Error) => void;
  /** Data already read for a live layer; overrides the address. */
  data?: unknown;
}

export type Hydrated = { id: string; layer: Layer; problem: null } | { id: string; layer: null; problem: string };

const PIXEL_PROPS = [
  "lineWidthMinPixels",
  "lineWidthMaxPixels",
  "radiusMinPixels",
  "radiusMaxPixels",
  "pointRadiusMinPixels",
  "pointRadiusMaxPixels",
  "sizeMinPixels",
  "sizeMaxPixels",
  "widthMinPixels",
  "widthMaxPixels",
  "radiusPixels",
] as const;

function refuseUnknown(value: unknown, depth = 0): void {
  if (depth > 12) throw new Error("declaration nested deeper than 12");
  if (Array.isArray(value)) for (const item of value) refuseUnknown(item, depth + 1);
  else if (value && typeof value === "object") {
    for (const [key, item] of Object.entries(value)) {
      if (key === "@@type" && depth > 0 && !(String(item) in EXTENSION_CLASSES))
        throw new Error(`class ${item} is not allowed`);
      if (key === "@@function" && !(String(item) in FUNCTIONS)) throw new Error(`function ${item} is not allowed`);
      refuseUnknown(item, depth + 1);
    }
  }
}

function enlarge(props: Record<string, unknown>, scale: number): void {
  if (scale === 1) return;
  for (const name of PIXEL_PROPS) if (typeof props[name] === "number") props[name] = (props[name] as number) * scale;
  for (const part of ["size", "lineWidth", "radius", "width", "pointRadius", "text", "icon"]) {
    const units = part === "text" || part === "icon" ? `${part}SizeUnits` : `${part}Units`;
    const factor = part === "text" || part === "icon" ? `${part}SizeScale` : `${part}Scale`;
    if (props[units] === "pixels" || (part === "size" && props[units] === undefined && "getSize" in props)) {
      props[factor] = ((props[factor] as number | undefined) ?? 1) * scale;
    }
  }
}

function addressed(address: string, turn: number): string {
  const absolute = new URL(address, window.location.origin);
  if (absolute.origin !== window.location.origin) throw new Error(`data from another origin: ${address}`);
  if (turn > 0) absolute.searchParams.set("turn", String(turn));
  return absolute.pathname.replaceAll("%7B", "{").replaceAll("%7D", "}") + absolute.search;
}

function sourceProps(
  layer: LayerDeclaration,
  drawing: Drawing,
  props: Record<string, unknown>,
): Record<string, unknown> {
  if (layer.source.type === "geojson") {
    if (drawing.data === undefined) return { data: addressed(layer.source.url, drawing.turn) };
    return { data: layer.deck["@@type"] === "GeoJsonLayer" ? drawing.data : featuresOf(drawing.data) };
  }
  const data = addressed(layer.source.url, layer.live ? drawing.turn : 0);
  const zooms = { minZoom: props.minZoom ?? layer.min_zoom, maxZoom: props.maxZoom ?? layer.max_zoom };
  if (layer.source.type === "raster") return { data, tileSize: 256, ...zooms, renderSubLayers: rasterTile };
  return {
    data,
    ...zooms,
    loadOptions: { worker: true, mvt: { workerUrl: mvtWorker }, core: { worker: true } },
  };
}

/** Layers other than GeoJsonLayer iterate rows: a collection becomes its features. */
function featuresOf(data: unknown): unknown {
  return data && typeof data === "object" && "features" in data ? data.features : data;
}

function rasterTile(props: Record<string, unknown>): Layer | null {
  const { bbox } = props.tile as { bbox: { west: number; south: number; east: number; north: number } };
  if (!props.data) return null;
  return new BitmapLayer(props as never, {
    data: undefined,
    image: props.data as never,
    bounds: [bbox.west, bbox.south, bbox.east, bbox.north],
  });
}

/** Layers whose things are few and live stand above the place names; broad ones lie beneath. */
function isFlatGround(layer: LayerDeclaration, props: Record<string, unknown>): boolean {
  return layer.source.type !== "geojson" && props.extruded !== true;
}

/**
 * One declared layer as a deck.gl layer. `data` of the declaration is thrown away before anything is evaluated:
 * @deck.gl/json would run `@@=` strings found inside it. A bad declaration gives a problem and hurts no other layer.
 */
export function hydrate(layer: LayerDeclaration, drawing: Drawing): Hydrated {
  try {
    const { data: _never, "@@type": type, id: _id, ...rest } = layer.deck;
    const Class = LAYER_CLASSES.get(String(type));
    if (!Class) throw new Error(`class ${String(type)} is not allowed`);
    refuseUnknown(rest);
    const configuration = new JSONConfiguration({
      classes: EXTENSION_CLASSES as never,
      functions: FUNCTIONS as never,
      enumerations: {},
      constants: {},
    });
    const props = new JSONConverter({ configuration }).convert(rest) as Record<string, unknown>;
    enlarge(props, drawing.scale);
    const ground = isFlatGround(layer, props);
    const opacity = (typeof props.opacity === "number" ? props.opacity : 1) * drawing.opacity;
    return {
      id: layer.id,
      problem: null,
      layer: new Class({
        pickable: layer.tooltip.length > 0,
        autoHighlight: layer.tooltip.length > 0,
        highlightColor: [47, 125, 255, 90],
        ...props,
        ...sourceProps(layer, drawing, props),
        onTileError: drawing.onTileError,
        ...(props.extruded === true ? {} : { parameters: { depthCompare: "always", depthWriteEnabled: false } }),
        ...(ground && drawing.beforeId ? { beforeId: drawing.beforeId } : {}),
        id: layer.id,
        opacity,
      }),
    };
  } catch (cause) {
    return { id: layer.id, layer: null, problem: cause instanceof Error ? cause.message : String(cause) };
  }
}
