import type { FeatureCollection } from "geojson";
import { Map as BaseMap, type GeoJSONSource } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import { useEffect, useRef, useState } from "react";
import { Problem } from "../api/problem";
import { Failed } from "../components/Panel";
import { readStyle } from "../map/basemap";
import { paintScale, token } from "../theme/tokens";
import { ends } from "./shifts";

type Box = [number, number, number, number];

/** Where rows lie as declared, and an arrow's line to where they would lie. */
export function ShiftMap({ vectors, bbox }: { vectors: FeatureCollection; bbox: Box | null }) {
  const container = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<BaseMap | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  useEffect(() => {
    const element = container.current;
    if (!element) return;
    const abort = new AbortController();
    let made: BaseMap | null = null;
    readStyle("light", paintScale(), abort.signal)
      .then((style) => {
        if (abort.signal.aborted) return;
        const fresh = new BaseMap({
          container: element,
          style,
          center: [120.383, 36.072],
          zoom: 11,
          attributionControl: false,
          localIdeographFontFamily: getComputedStyle(document.body).fontFamily,
          maxZoom: 19,
          fadeDuration: 0,
          dragRotate: false,
          transformRequest: (address) => ({ url: new URL(address, window.location.origin).href }),
        });
        made = fresh;
        fresh.once("style.load", () => {
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
          setMap(fresh);
        });
      })
      .catch((cause) => {
        if (!abort.signal.aborted) setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
      });
    return () => {
      abort.abort();
      made?.remove();
      setMap(null);
    };
  }, []);

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
