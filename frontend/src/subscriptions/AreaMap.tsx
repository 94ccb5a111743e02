import type { FeatureCollection, Position } from "geojson";
import type { GeoJSONSource } from "maplibre-gl";
import { useEffect, useRef } from "react";
import { TerraDraw, TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { Failed } from "../components/Panel";
import { useBaseMap } from "../map/useBaseMap";
import { token } from "../theme/tokens";
import type { Box } from "./areas";

type Hex = `#${string}`;
const START = { center: [120.383, 36.12] as [number, number], zoom: 9.6 };
const COORDINATES = { midpoints: true, draggable: true, deletable: true };

/** What the pen does: nothing, a new ring, or the corners of one that is there. */
export type Pen = "none" | "draw" | "edit";

/** The areas of all subscriptions; with a pen, one is drawn or its corners are dragged. A click on an area chooses it. */
export function AreaMap({
  areas,
  pen,
  ring,
  line = false,
  focus,
  onRing,
  onChoose,
}: {
  areas: FeatureCollection;
  pen: Pen;
  /** The ring whose corners are dragged. */
  ring: Position[] | null;
  /** Whether the pen draws lines. */
  line?: boolean;
  focus: Box | null;
  onRing: (ring: Position[]) => void;
  onChoose: (id: number) => void;
}) {
  const calls = useRef({ onRing, onChoose, ring, pen });
  calls.current = { onRing, onChoose, ring, pen };
  const { container, map, problem } = useBaseMap(START, (fresh) => {
    fresh.addSource("areas", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    const chosen = ["get", "chosen"] as ["get", string];
    const colour = token("accent");
    fresh.addLayer({
      id: "areas-fill",
      type: "fill",
      source: "areas",
      paint: { "fill-color": colour, "fill-opacity": ["case", chosen, 0.22, 0.07] },
    });
    fresh.addLayer({
      id: "areas-line",
      type: "line",
      source: "areas",
      paint: {
        "line-color": colour,
        "line-width": ["case", chosen, 2.5, 1.2],
        "line-opacity": ["case", ["get", "active"], 1, 0.45],
      },
    });
    // A line has no inside: it is taken by a wider one that nobody sees.
    fresh.addLayer({
      id: "areas-grip",
      type: "line",
      source: "areas",
      paint: { "line-width": 14, "line-opacity": 0 },
    });
    fresh.on("click", ["areas-fill", "areas-grip"], (event) => {
      const id = event.features?.[0]?.properties?.id;
      if (calls.current.pen === "none" && typeof id === "number") calls.current.onChoose(id);
    });
  });

  useEffect(() => {
    if (map) (map.getSource("areas") as GeoJSONSource | undefined)?.setData(areas);
  }, [map, areas]);
  useEffect(() => {
    if (map && focus) map.fitBounds(focus, { padding: 60, maxZoom: 15, duration: 300 });
  }, [map, focus]);

  useEffect(() => {
    if (!map || pen === "none") return;
    const outlineColor = token("accent") as Hex;
    const draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 7 }),
      modes: [
        new TerraDrawPolygonMode({ styles: { outlineColor, fillColor: outlineColor, fillOpacity: 0.15 } }),
        new TerraDrawLineStringMode({ styles: { lineStringColor: outlineColor, lineStringWidth: 3 } }),
        new TerraDrawSelectMode({
          flags: {
            polygon: { feature: { draggable: false, selfIntersectable: false, coordinates: COORDINATES } },
            linestring: { feature: { draggable: false, coordinates: COORDINATES } },
          },
        }),
      ],
    });
    draw.start();
    draw.on("finish", (id) => {
      const drawn = draw.getSnapshotFeature(id);
      if (drawn?.geometry.type === "Polygon") calls.current.onRing(drawn.geometry.coordinates[0] ?? []);
      else if (drawn?.geometry.type === "LineString") calls.current.onRing(drawn.geometry.coordinates);
    });
    const held = calls.current.ring;
    if (pen === "draw") draw.setMode(line ? "linestring" : "polygon");
    else if (held) {
      const added = draw.addFeatures([
        {
          type: "Feature",
          geometry: line ? { type: "LineString", coordinates: held } : { type: "Polygon", coordinates: [held] },
          properties: { mode: line ? "linestring" : "polygon" },
        },
      ]);
      draw.setMode("select");
      const first = added.find((each) => each.valid)?.id;
      if (first !== undefined) draw.selectFeature(first);
    }
    return () => draw.stop();
  }, [map, pen, line]);

  return (
    <div className="area-map" data-testid="area-map" data-ready={map !== null} data-pen={pen}>
      <div ref={container} className="area-map-canvas" />
      {problem && <Failed problem={problem} />}
    </div>
  );
}
