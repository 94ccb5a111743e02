import type { Layer } from "@deck.gl/core";
import { GeoJsonLayer, PathLayer, ScatterplotLayer } from "@deck.gl/layers";
import type { PatchFeature, PatchStep } from "../api/types";
import { hexRgba, paintScale, token } from "../theme/tokens";

const ON_TOP = { depthCompare: "always" as const, depthWriteEnabled: false };
const RAY_M = 60;

/** The outline of a patch, an earlier one of it dashed over it when asked for, and where its index is read. */
export function patchLayers(
  patch: PatchFeature,
  former: PatchStep | null,
  point: { lon: number; lat: number } | null,
): Layer[] {
  const scale = paintScale();
  const accent = hexRgba(token("accent-mark"));
  const red = hexRgba(token("sev-critical"));
  const outline = (id: string, geometry: unknown, line: number[], fill: number[], width: number) =>
    new GeoJsonLayer({
      id,
      data: { type: "Feature", properties: {}, geometry } as never,
      getFillColor: fill as never,
      getLineColor: line as never,
      lineWidthUnits: "pixels",
      getLineWidth: width * scale,
      parameters: ON_TOP,
    });
  return [
    outline("patch-outline", patch.geometry, red, [red[0], red[1], red[2], 24], 2.5),
    ...(former?.geometry
      ? [outline("patch-former", former.geometry, accent, [accent[0], accent[1], accent[2], 40], 2)]
      : []),
    ...(point ? [spot("patch-series-point", point, 5)] : []),
  ];
}

/** A place as a white-rimmed dot of a radius in pixels. */
function spot(id: string, { lon, lat }: { lon: number; lat: number }, radius: number): Layer {
  const scale = paintScale();
  return new ScatterplotLayer({
    id,
    data: [[lon, lat]],
    getPosition: (p: number[]) => p as [number, number],
    radiusUnits: "pixels",
    getRadius: radius * scale,
    getFillColor: hexRgba(token("accent-mark")),
    stroked: true,
    getLineColor: [255, 255, 255, 255],
    lineWidthUnits: "pixels",
    getLineWidth: 2 * scale,
    parameters: ON_TOP,
  });
}

/** Where to stand and which way to look. */
export function standLayers(stand: { lon: number; lat: number; azimuth_deg: number }): Layer[] {
  const scale = paintScale();
  const accent = hexRgba(token("accent-mark"));
  const turn = (stand.azimuth_deg * Math.PI) / 180;
  const end: [number, number] = [
    stand.lon + (RAY_M * Math.sin(turn)) / (111_320 * Math.cos((stand.lat * Math.PI) / 180)),
    stand.lat + (RAY_M * Math.cos(turn)) / 110_950,
  ];
  return [
    new PathLayer({
      id: "stand-look",
      data: [[[stand.lon, stand.lat], end]],
      getPath: (p: [number, number][]) => p,
      getColor: accent,
      getWidth: 3 * scale,
      widthUnits: "pixels",
      parameters: ON_TOP,
    }),
    spot("stand-place", stand, 8),
  ];
}
