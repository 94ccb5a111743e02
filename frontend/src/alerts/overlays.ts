import type { Layer } from "@deck.gl/core";
import { PathStyleExtension } from "@deck.gl/extensions";
import { GeoJsonLayer, PathLayer, ScatterplotLayer } from "@deck.gl/layers";
import type { AlertDetail, AlertSummary, Order, Package } from "../api/types";
import { hexRgba, paintScale, type Rgba, token } from "../theme/tokens";

const ON_TOP = { depthCompare: "always" as const, depthWriteEnabled: false };
const AROUND_M = 500;

function severityColour(severity: AlertSummary["severity"]): Rgba {
  return hexRgba(token(`sev-${["critical", "high", "medium", "low"][severity - 1] ?? "low"}`));
}

function faint([r, g, b]: Rgba, alpha: number): Rgba {
  return [r, g, b, alpha];
}

/** Where the thing may be: a soft region, a crisp line at 50 %, a dashed one at 90 %; footprints, and the 500 m around. */
export function alertLayers(alert: AlertDetail): Layer[] {
  const scale = paintScale();
  const colour = severityColour(alert.severity);
  const accent = hexRgba(token("accent-mark"));
  const centre: [number, number] = [alert.place.lon, alert.place.lat];
  const layers: Layer[] = [
    new ScatterplotLayer({
      id: "alert-around",
      data: [centre],
      getPosition: (p: [number, number]) => p,
      getRadius: AROUND_M,
      filled: false,
      stroked: true,
      getLineColor: faint(accent, 110),
      lineWidthUnits: "pixels",
      getLineWidth: scale,
      parameters: ON_TOP,
    }),
  ];
  if (alert.region90) {
    layers.push(
      new GeoJsonLayer({
        id: "alert-region90",
        data: alert.region90 as never,
        getFillColor: faint(colour, 30),
        getLineColor: faint(colour, 200),
        lineWidthUnits: "pixels",
        getLineWidth: 1.5 * scale,
        extensions: [new PathStyleExtension({ dash: true })],
        getDashArray: [6, 4],
        parameters: ON_TOP,
      } as never),
    );
  } else {
    layers.push(
      new ScatterplotLayer({
        id: "alert-accuracy",
        data: [centre],
        getPosition: (p: [number, number]) => p,
        getRadius: alert.place.accuracy_m,
        getFillColor: faint(colour, 30),
        stroked: true,
        getLineColor: faint(colour, 200),
        lineWidthUnits: "pixels",
        getLineWidth: 1.5 * scale,
        parameters: ON_TOP,
      }),
    );
  }
  if (alert.region50) {
    layers.push(
      new GeoJsonLayer({
        id: "alert-region50",
        data: alert.region50 as never,
        getFillColor: faint(colour, 60),
        getLineColor: colour,
        lineWidthUnits: "pixels",
        getLineWidth: 2 * scale,
        parameters: ON_TOP,
      }),
    );
  }
  const prints = alert.observations.filter((o) => o.footprint);
  if (prints.length > 0) {
    layers.push(
      new GeoJsonLayer({
        id: "alert-footprints",
        data: prints.map((o) => ({ type: "Feature", properties: {}, geometry: o.footprint })) as never,
        getFillColor: faint(accent, 18),
        getLineColor: faint(accent, 130),
        lineWidthUnits: "pixels",
        getLineWidth: scale,
        parameters: ON_TOP,
      }),
    );
  }
  layers.push(
    new ScatterplotLayer({
      id: "alert-chosen",
      data: [centre],
      getPosition: (p: [number, number]) => p,
      radiusUnits: "pixels",
      getRadius: 15 * scale,
      filled: false,
      stroked: true,
      getLineColor: colour,
      lineWidthUnits: "pixels",
      getLineWidth: 2.5 * scale,
      parameters: ON_TOP,
    }),
  );
  return layers;
}

type Line = { coordinates: [number, number][] };

function lineOf(route: unknown): [number, number][] {
  return route && typeof route === "object" && "coordinates" in route ? (route as Line).coordinates : [];
}

/** Proposed ways dashed, ordered ways whole, trails of where units have been. */
export function routeLayers(
  proposal: Package | null,
  orders: readonly Order[],
  trails: Readonly<Record<number, [number, number][]>>,
): Layer[] {
  const scale = paintScale();
  const accent = hexRgba(token("accent-mark"));
  const common = {
    getPath: (d: { path: [number, number][] }) => d.path,
    widthUnits: "pixels" as const,
    capRounded: true,
    parameters: ON_TOP,
  };
  return [
    new PathLayer({
      ...common,
      id: "routes-proposed",
      data: (proposal?.units ?? []).map((unit) => ({ path: lineOf(unit.route) })),
      getColor: faint(accent, 200),
      getWidth: 2 * scale,
      extensions: [new PathStyleExtension({ dash: true })],
      getDashArray: [5, 3],
    } as never),
    new PathLayer({
      ...common,
      id: "routes-ordered",
      data: orders.filter((o) => o.state !== "done" && o.state !== "cancelled").map((o) => ({ path: lineOf(o.route) })),
      getColor: faint(accent, 120),
      getWidth: 5 * scale,
    }),
    new PathLayer({
      ...common,
      id: "trails",
      data: Object.values(trails).map((path) => ({ path })),
      getColor: accent,
      getWidth: 2.5 * scale,
    }),
  ];
}
