import type { StyleSpecification } from "maplibre-gl";
import { get } from "../api/client";

export type BaseTheme = "dark" | "light";

/** Text, icon and line sizes of the style times `scale`, so that a 4K wall reads like a 1080-line one. */
export function scaleStyle(style: StyleSpecification, scale: number): StyleSpecification {
  if (scale === 1) return style;
  const times = (value: unknown): unknown => (value === undefined ? undefined : scaled(value, scale));
  return {
    ...style,
    layers: style.layers.map((layer) => {
      if (layer.type === "symbol") {
        const layout = { ...layer.layout };
        layout["text-size"] = times(layout["text-size"] ?? 16) as never;
        return { ...layer, layout };
      }
      if (layer.type === "line" && layer.paint?.["line-width"] !== undefined) {
        return { ...layer, paint: { ...layer.paint, "line-width": times(layer.paint["line-width"]) as never } };
      }
      return layer;
    }),
  };
}

/** A size is a number or an interpolation over the zoom: its outputs are scaled, its stops are not. */
function scaled(value: unknown, scale: number): unknown {
  if (typeof value === "number") return value * scale;
  if (!Array.isArray(value)) return value;
  const [operator, ...rest] = value;
  if (operator === "interpolate") {
    const [how, input, ...stops] = rest;
    return [operator, how, input, ...stops.map((stop, i) => (i % 2 === 1 ? scaled(stop, scale) : stop))];
  }
  if (operator === "step") {
    const [input, first, ...stops] = rest;
    return [operator, input, scaled(first, scale), ...stops.map((s, i) => (i % 2 === 1 ? scaled(s, scale) : s))];
  }
  return ["*", scale, value];
}

export async function readStyle(theme: BaseTheme, scale: number, signal: AbortSignal): Promise<StyleSpecification> {
  return scaleStyle(await get<StyleSpecification>(`/style/${theme}`, {}, signal), scale);
}

/** The style layer below which the city's broad layers go: the first with text. */
export function firstNames(style: StyleSpecification): string | undefined {
  return style.layers.find((layer) => layer.type === "symbol")?.id;
}
