import { Map as BaseMap } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import { type RefObject, useEffect, useRef, useState } from "react";
import { Problem } from "../api/problem";
import { paintScale } from "../theme/tokens";
import { readStyle } from "./basemap";

interface Ground {
  /** Where the map is put. */
  container: RefObject<HTMLDivElement | null>;
  /** Null until its style is there and `begin` has run. */
  map: BaseMap | null;
  problem: Problem | null;
}

/** A small map over the light ground, for editors and previews. `begin` adds sources, layers and listeners, once. */
export function useBaseMap(view: { center: [number, number]; zoom: number }, begin: (map: BaseMap) => void): Ground {
  const container = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<BaseMap | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const first = useRef({ view, begin });

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
          ...first.current.view,
          attributionControl: false,
          localIdeographFontFamily: getComputedStyle(document.body).fontFamily,
          maxZoom: 20,
          fadeDuration: 0,
          dragRotate: false,
          transformRequest: (address) => ({ url: new URL(address, window.location.origin).href }),
        });
        made = fresh;
        fresh.once("style.load", () => {
          first.current.begin(fresh);
          setMap(fresh);
        });
      })
      .catch((cause) => {
        if (!abort.signal.aborted) setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
      });
    return () => {
      abort.abort();
      // After everything that draws on it has let go of it: what is cleaned up later still asks for its sources.
      queueMicrotask(() => made?.remove());
      setMap(null);
    };
  }, []);
  return { container, map, problem };
}
