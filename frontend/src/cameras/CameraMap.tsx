import type { FeatureCollection } from "geojson";
import type { GeoJSONSource } from "maplibre-gl";
import { useEffect, useMemo, useRef } from "react";
import type { CameraStanding } from "../api/types";
import { Failed } from "../components/Panel";
import { useBaseMap } from "../map/useBaseMap";
import { token } from "../theme/tokens";

const START = { center: [120.383, 36.12] as [number, number], zoom: 9.6 };
const NEAR = 15;

/** Where the listed cameras stand; the chosen one is flown to. */
export function CameraMap({
  cameras,
  chosen,
  onChoose,
}: {
  cameras: readonly CameraStanding[];
  chosen: CameraStanding | null;
  onChoose: (id: number) => void;
}) {
  const choose = useRef(onChoose);
  choose.current = onChoose;
  const { container, map, problem } = useBaseMap(START, (fresh) => {
    fresh.addSource("cameras", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    const picked = ["get", "chosen"] as ["get", string];
    fresh.addLayer({
      id: "cameras",
      type: "circle",
      source: "cameras",
      paint: {
        "circle-radius": ["case", picked, 8, 4.5],
        "circle-color": ["case", picked, token("accent"), token("secondary")],
        "circle-stroke-color": "#ffffff",
        "circle-stroke-width": 1.5,
      },
    });
    fresh.on("click", "cameras", (event) => {
      const id = event.features?.[0]?.properties?.id;
      if (typeof id === "number") choose.current(id);
    });
    fresh.on("mouseenter", "cameras", () => {
      fresh.getCanvas().style.cursor = "pointer";
    });
    fresh.on("mouseleave", "cameras", () => {
      fresh.getCanvas().style.cursor = "";
    });
  });
  const points = useMemo(
    (): FeatureCollection => ({
      type: "FeatureCollection",
      features: cameras.map((each) => ({
        type: "Feature",
        geometry: { type: "Point", coordinates: [each.lon, each.lat] },
        properties: { id: each.id, chosen: each.id === chosen?.id },
      })),
    }),
    [cameras, chosen],
  );
  useEffect(() => {
    if (map) (map.getSource("cameras") as GeoJSONSource | undefined)?.setData(points);
  }, [map, points]);
  const [lon, lat] = [chosen?.lon, chosen?.lat];
  useEffect(() => {
    if (map && lon !== undefined && lat !== undefined)
      map.easeTo({ center: [lon, lat], zoom: Math.max(map.getZoom(), NEAR), duration: 200 });
  }, [map, lon, lat]);
  return (
    <div className="camera-map" data-testid="camera-map" data-ready={map !== null}>
      <div ref={container} className="camera-map-canvas" />
      {problem && <Failed problem={problem} />}
    </div>
  );
}
