/** The deck.gl classes and functions a server-declared layer may name. Anything else is refused by name. */
import { ContourLayer, GridLayer, HeatmapLayer, HexagonLayer } from "@deck.gl/aggregation-layers";
import type { Layer } from "@deck.gl/core";
import { DataFilterExtension, FillStyleExtension, PathStyleExtension } from "@deck.gl/extensions";
import { GeohashLayer, H3HexagonLayer, MVTLayer, TileLayer, TripsLayer } from "@deck.gl/geo-layers";
import {
  ArcLayer,
  BitmapLayer,
  ColumnLayer,
  GeoJsonLayer,
  IconLayer,
  LineLayer,
  PathLayer,
  PointCloudLayer,
  PolygonLayer,
  ScatterplotLayer,
  SolidPolygonLayer,
  TextLayer,
} from "@deck.gl/layers";

export type LayerClass = new (props: Record<string, unknown>) => Layer;

function classes(list: unknown[]): Map<string, LayerClass> {
  return new Map((list as (LayerClass & { layerName: string })[]).map((kind) => [kind.layerName, kind]));
}

export const LAYER_CLASSES = classes([
  ArcLayer,
  BitmapLayer,
  ColumnLayer,
  ContourLayer,
  GeoJsonLayer,
  GeohashLayer,
  GridLayer,
  H3HexagonLayer,
  HeatmapLayer,
  HexagonLayer,
  IconLayer,
  LineLayer,
  MVTLayer,
  PathLayer,
  PointCloudLayer,
  PolygonLayer,
  ScatterplotLayer,
  SolidPolygonLayer,
  TextLayer,
  TileLayer,
  TripsLayer,
]);

export const EXTENSION_CLASSES: Record<string, new (props: never) => unknown> = {
  DataFilterExtension,
  FillStyleExtension,
  PathStyleExtension,
};

type Rgba = [number, number, number, number];
type Row = { properties?: Record<string, unknown> };

function rgba(value: unknown): Rgba {
  if (!Array.isArray(value) || value.length < 3 || !value.every((v) => typeof v === "number")) {
    throw new Error(`not a colour: ${JSON.stringify(value)}`);
  }
  return [value[0], value[1], value[2], value[3] ?? 255] as Rgba;
}

function property(row: Row, field: string): unknown {
  return row.properties ? row.properties[field] : (row as Record<string, unknown>)[field];
}

/**
 * Accessor makers that a declaration calls with `@@function`; each takes one object of arguments.
 * byValue: `{field, colors: {value: [r,g,b,a]}, fallback}` · steps: `{field, stops: [[from, colour], …], fallback}`, stops rising.
 */
export const FUNCTIONS: Record<string, (props: Record<string, unknown>) => unknown> = {
  byValue({ field, colors, fallback }) {
    const table = new Map(Object.entries(colors as Record<string, unknown>).map(([k, v]) => [k, rgba(v)]));
    const other = rgba(fallback ?? [0, 0, 0, 0]);
    return (row: Row) => table.get(String(property(row, String(field)))) ?? other;
  },
  steps({ field, stops, fallback }) {
    const list = (stops as [number, unknown][]).map(([from, colour]) => [from, rgba(colour)] as const);
    const other = rgba(fallback ?? [0, 0, 0, 0]);
    return (row: Row) => {
      const value = Number(property(row, String(field)));
      let found = other;
      for (const [from, colour] of list) if (value >= from) found = colour;
      return found;
    };
  },
};
