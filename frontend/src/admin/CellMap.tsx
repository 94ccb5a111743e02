import type { FeatureCollection, Position } from "geojson";
import type { Map as BaseMap, GeoJSONSource, LayerSpecification } from "maplibre-gl";
import { useEffect, useRef } from "react";
import { TerraDraw, TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import type { CellOut } from "../api/types";
import { Failed } from "../components/Panel";
import { useBaseMap } from "../map/useBaseMap";
import { token } from "../theme/tokens";
import { collection, editableRing, shapeOf } from "./cells";

export type Box = [number, number, number, number];
export type Tool = "choose" | "line" | "border";

interface Props {
  cells: FeatureCollection;
  plan: FeatureCollection;
  tool: Tool;
  /** Grids whose border is edited. */
  edited: readonly CellOut[];
  /** Where to look; a new one each time. */
  focus: Box | null;
  onView: (box: Box, zoom: number) => void;
  onChoose: (id: number) => void;
  onLine: (line: Position[]) => void;
  onBorder: (id: number, ring: Position[]) => void;
}

type Hex = `#${string}`;
const START = { center: [120.383, 36.072] as [number, number], zoom: 14 };
const NOTHING = collection([]);

function layers(): LayerSpecification[] {
  const accent = token("accent");
  const role = (name: string) => ["==", ["get", "role"], name] as ["==", ["get", string], string];
  const areas = ["==", ["geometry-type"], "Polygon"] as ["==", ["geometry-type"], string];
  return [
    {
      id: "cells-fill",
      type: "fill",
      source: "cells",
      paint: { "fill-color": accent, "fill-opacity": ["case", ["get", "chosen"], 0.28, 0.03] },
    },
    {
      id: "cells-line",
      type: "line",
      source: "cells",
      paint: { "line-color": accent, "line-width": ["case", ["get", "chosen"], 2.5, 0.8] },
    },
    {
      id: "after-fill",
      type: "fill",
      source: "plan",
      filter: role("after"),
      paint: { "fill-color": token("good"), "fill-opacity": 0.14 },
    },
    {
      id: "after-line",
      type: "line",
      source: "plan",
      filter: role("after"),
      paint: { "line-color": token("good"), "line-width": 2.5 },
    },
    {
      id: "notice-fill",
      type: "fill",
      source: "plan",
      filter: ["all", role("notice"), areas],
      paint: { "fill-color": token("sev-medium"), "fill-opacity": 0.45 },
    },
    {
      id: "blocking-fill",
      type: "fill",
      source: "plan",
      filter: ["all", role("blocking"), areas],
      paint: { "fill-color": token("sev-critical"), "fill-opacity": 0.55 },
    },
    {
      id: "blocking-line",
      type: "line",
      source: "plan",
      filter: role("blocking"),
      paint: { "line-color": token("sev-critical"), "line-width": 3 },
    },
  ];
}

function tools() {
  const colour = token("sev-critical") as Hex;
  const coordinates = { midpoints: true, draggable: true, deletable: true, snappable: true };
  return [
    new TerraDrawLineStringMode({ styles: { lineStringColor: colour, lineStringWidth: 3 } }),
    new TerraDrawPolygonMode({ styles: { outlineColor: colour, fillOpacity: 0.05 } }),
    new TerraDrawSelectMode({
      flags: { polygon: { feature: { draggable: false, selfIntersectable: false, coordinates } } },
    }),
  ];
}

function put(map: BaseMap, source: string, data: FeatureCollection): void {
  (map.getSource(source) as GeoJSONSource | undefined)?.setData(data);
}

/** The map of the grid editor: a click chooses a grid; a line is drawn, or the corners of borders are dragged. */
export function CellMap(props: Props) {
  const { cells, plan, tool, edited, focus } = props;
  const calls = useRef(props);
  calls.current = props;
  const { container, map, problem } = useBaseMap(START, (fresh) => {
    const look = () => {
      const view = fresh.getBounds();
      calls.current.onView([view.getWest(), view.getSouth(), view.getEast(), view.getNorth()], fresh.getZoom());
    };
    for (const source of ["cells", "plan"]) fresh.addSource(source, { type: "geojson", data: NOTHING });
    for (const layer of layers()) fresh.addLayer(layer);
    look();
    fresh.on("moveend", look);
    fresh.on("click", "cells-fill", (event) => {
      const id = event.features?.[0]?.properties?.id;
      if (calls.current.tool === "choose" && typeof id === "number") calls.current.onChoose(id);
    });
  });

  useEffect(() => {
    if (map) put(map, "cells", cells);
  }, [map, cells]);
  useEffect(() => {
    if (map) put(map, "plan", plan);
  }, [map, plan]);
  useEffect(() => {
    if (map && focus) map.fitBounds(focus, { padding: 80, maxZoom: 18, duration: 500 });
  }, [map, focus]);

  const kept = edited.map((cell) => cell.id).join();
  const shown = useRef(edited);
  shown.current = edited;
  useEffect(() => {
    if (!map || tool === "choose" || (tool === "border" && kept === "")) return;
    const draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 9 }),
      modes: tools(),
    });
    draw.start();
    if (tool === "line") {
      draw.setMode("linestring");
      draw.on("finish", (id) => {
        const others = draw.getSnapshot().flatMap((f) => (f.id !== undefined && f.id !== id ? [f.id] : []));
        if (others.length > 0) draw.removeFeatures(others);
        const drawn = draw.getSnapshotFeature(id);
        if (drawn?.geometry.type === "LineString") calls.current.onLine(drawn.geometry.coordinates);
      });
    } else {
      const added = draw.addFeatures(
        shown.current.map((cell) => ({
          type: "Feature",
          geometry: { type: "Polygon", coordinates: [editableRing(shapeOf(cell))] },
          properties: { mode: "polygon", cell: cell.id },
        })),
      );
      draw.setMode("select");
      const first = added.find((each) => each.valid)?.id;
      if (first !== undefined) draw.selectFeature(first);
      draw.on("finish", (id) => {
        const moved = draw.getSnapshotFeature(id);
        const cell = moved?.properties.cell;
        if (moved?.geometry.type === "Polygon" && typeof cell === "number")
          calls.current.onBorder(cell, moved.geometry.coordinates[0] ?? []);
      });
    }
    return () => draw.stop();
  }, [map, tool, kept]);

  return (
    <div className="cell-map" data-testid="cell-map" data-ready={map !== null}>
      <div ref={container} className="cell-map-canvas" />
      {problem && <Failed problem={problem} />}
    </div>
  );
}
