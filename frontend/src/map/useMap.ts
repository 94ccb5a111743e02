import { MapboxOverlay } from "@deck.gl/mapbox";
import { Map as BaseMap } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import { type RefObject, useEffect, useRef, useState } from "react";
import { Problem } from "../api/problem";
import { changeView, place } from "../state/location";
import { mark } from "../state/marks";
import type { Camera } from "../state/view";
import { paintScale } from "../theme/tokens";
import { type BaseTheme, firstNames, readStyle } from "./basemap";
import { ofGround } from "./ground";
import { holdPicture } from "./hold";
import { setCurrentMap } from "./instance";

/** Qingdao's southern shore; used when neither the URL nor the style says where to begin. */
const START: Camera = { lon: 120.383, lat: 36.072, zoom: 11.4, pitch: 0, bearing: 0 };

export interface MapHandle {
  map: BaseMap | null;
  overlay: MapboxOverlay | null;
  beforeId: string | undefined;
  problem: Problem | null;
  /** The last failure of a base map tile; null while all arrive. */
  tileProblem: string | null;
  reload: () => void;
}

function cameraOf(map: BaseMap): Camera {
  const { lng, lat } = map.getCenter();
  return { lon: lng, lat, zoom: map.getZoom(), pitch: map.getPitch(), bearing: map.getBearing() };
}

function differs(a: Camera, b: Camera): boolean {
  return (
    Math.abs(a.lon - b.lon) > 2e-5 ||
    Math.abs(a.lat - b.lat) > 2e-5 ||
    Math.abs(a.zoom - b.zoom) > 0.02 ||
    Math.abs(a.pitch - b.pitch) > 1 ||
    Math.abs(a.bearing - b.bearing) > 1
  );
}

/** Addresses of tiles are relative in the style; workers need them whole. Other origins are refused. */
function ownOrigin(address: string): { url: string } {
  const whole = new URL(address, window.location.origin);
  if (whole.origin !== window.location.origin && whole.protocol !== "blob:")
    throw new Error(`foreign address ${address}`);
  return { url: whole.href };
}

/** Makes the base map in `container` once per theme, and keeps camera and URL the same. */
export function useMap(container: RefObject<HTMLDivElement | null>, theme: BaseTheme): MapHandle {
  const [handle, setHandle] = useState<Omit<MapHandle, "reload">>({
    map: null,
    overlay: null,
    beforeId: undefined,
    problem: null,
    tileProblem: null,
  });
  const [turn, setTurn] = useState(0);
  const mine = useRef<BaseMap | null>(null);

  useEffect(() => {
    const element = container.current;
    if (!element) return;
    const abort = new AbortController();
    const begin = async () => {
      const style = await readStyle(theme, paintScale(), abort.signal);
      if (abort.signal.aborted) return;
      const [lon, lat] = style.center ?? [START.lon, START.lat];
      const start = place().view.camera ?? {
        ...START,
        lon: lon ?? START.lon,
        lat: lat ?? START.lat,
        zoom: style.zoom ?? START.zoom,
      };
      const map = new BaseMap({
        container: element,
        style,
        center: [start.lon, start.lat],
        zoom: start.zoom,
        pitch: start.pitch,
        bearing: start.bearing,
        attributionControl: false,
        localIdeographFontFamily: getComputedStyle(document.body).fontFamily,
        maxPitch: 60,
        minZoom: 7,
        maxZoom: 19.5,
        fadeDuration: 0,
        transformRequest: ownOrigin,
        cancelPendingTileRequestsWhileZooming: true,
      });
      const overlay = new MapboxOverlay({ interleaved: true, layers: [] });
      mine.current = map;
      map.on("error", (event) => {
        if (ofGround((event as { sourceId?: unknown }).sourceId)) return;
        setHandle((old) => ({ ...old, tileProblem: event.error?.message ?? "tile" }));
      });
      map.on("moveend", () => changeView({ camera: cameraOf(map) }, "replace"));
      map.once("style.load", () => {
        map.addControl(overlay);
        holdPicture(map);
        setCurrentMap(map);
        mark("map.style");
        setHandle({ map, overlay, beforeId: firstNames(style), problem: null, tileProblem: null });
      });
      map.once("load", () => mark("map.load"));
      map.once("idle", () => mark("map.idle"));
    };
    begin().catch((cause) => {
      if (!abort.signal.aborted) {
        setHandle((old) => ({ ...old, problem: cause instanceof Problem ? cause : Problem.unreachable(cause) }));
      }
    });
    return () => {
      abort.abort();
      setCurrentMap(null);
      mine.current?.remove();
      mine.current = null;
      setHandle({ map: null, overlay: null, beforeId: undefined, problem: null, tileProblem: null });
    };
  }, [theme, turn]);

  useEffect(() => {
    const follow = () => {
      const map = mine.current;
      const wanted = place().view.camera;
      if (!map || !wanted || map.isMoving() || !differs(cameraOf(map), wanted)) return;
      map.jumpTo({ center: [wanted.lon, wanted.lat], zoom: wanted.zoom, pitch: wanted.pitch, bearing: wanted.bearing });
    };
    window.addEventListener("popstate", follow);
    return () => window.removeEventListener("popstate", follow);
  }, []);

  return { ...handle, reload: () => setTurn((n) => n + 1) };
}
