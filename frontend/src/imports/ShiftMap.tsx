import type { FeatureCollection } from "geojson";
import type { GeoJSONSource } from "maplibre-gl";
import { useEffect } from "react";
import { Failed } from "../components/Panel";
import { useBaseMap } from "../map/useBaseMap";
import { token } from "../theme/tokens";
import { ends } from "./shifts";

type Box = [number, number, number, number];

/** Where rows lie as declared, and an arrow's line to where they would lie. */
export function ShiftMap({ vectors, bbox }: { vectors: FeatureCollection; bbox: Box | null }) {
  const { container, map, problem } = useBaseMap({ center: [120.383, 36.072], zoom: 11 }, (fresh) => {
    const empty: FeatureCollection = { type: "FeatureCollection", features: [] };
    fresh.addSource("shifts", { type: "geojson", data: empty });
    fresh.addSource("ends", { type: "geojson", data: empty });
    fresh.addLayer({
      id: "shifts",
      type: "line",
      source: "shifts",
      paint: { "line-color": token("sev-critical"), "line-width": 1.5, "line-opacity": 0.8 },
    });
    fresh.addLayer({
      id: "ends",
      type: "circle",
      source: "ends",
      paint: {
        "circle-radius": 3.5,
        "circle-color": ["case", ["get", "proposed"], token("good"), token("sev-critical")],
      },
    });
  });

  useEffect(() => {
    if (!map) return;
    (map.getSource("shifts") as GeoJSONSource | undefined)?.setData(vectors);
    (map.getSource("ends") as GeoJSONSource | undefined)?.setData(ends(vectors));
    if (bbox) map.fitBounds(bbox, { padding: 60, maxZoom: 16, animate: false });
  }, [map, vectors, bbox]);

  return (
    <div className="shift-map" data-testid="shift-map" data-vectors={vectors.features.length}>
      {problem ? <Failed problem={problem} /> : <div className="shift-map-canvas" ref={container} />}
    </div>
  );
}
