import { useEffect, useState } from "react";
import { useWords } from "../i18n";
import { formatCoordinate, type LonLat, type Notation } from "./coordinates";
import { currentMap } from "./instance";
import { formatLength } from "./units";
import type { Measuring } from "./useMeasure";

const NOTATIONS: readonly Notation[] = ["degrees", "dms", "zone40"];

/** A round number of metres and its length in pixels at this zoom and latitude. */
export function scaleBar(metresPerPixel: number, most: number): { metres: number; pixels: number } {
  const room = metresPerPixel * most;
  const power = 10 ** Math.floor(Math.log10(room));
  const metres = [5, 2, 1].map((n) => n * power).find((m) => m <= room) ?? power;
  return { metres, pixels: metres / metresPerPixel };
}

/** The scale, and once a pointer has been on the map its coordinates in three notations. Right-click copies the place under the pointer. */
export function ReadOut() {
  const { t, tongue } = useWords();
  const [at, setAt] = useState<LonLat | null>(null);
  const [notation, setNotation] = useState<Notation>("degrees");
  const [scale, setScale] = useState<{ metres: number; pixels: number } | null>(null);
  const [copied, setCopied] = useState(false);

  useEffect(() => {
    let timer = 0;
    let off: (() => void) | undefined;
    const attach = () => {
      const map = currentMap();
      if (!map) {
        timer = window.setTimeout(attach, 300);
        return;
      }
      const measure = () => {
        const { lat } = map.getCenter();
        setScale(scaleBar((40075016.686 * Math.cos((lat * Math.PI) / 180)) / (512 * 2 ** map.getZoom()), 96));
      };
      const move = (event: { lngLat: { lng: number; lat: number } }) =>
        setAt({ lon: event.lngLat.lng, lat: event.lngLat.lat });
      const copy = (event: { lngLat: { lng: number; lat: number } }) => {
        const here = { lon: event.lngLat.lng, lat: event.lngLat.lat };
        void navigator.clipboard?.writeText(formatCoordinate(here, notation)).then(() => {
          setCopied(true);
          window.setTimeout(() => setCopied(false), 1500);
        });
      };
      map.on("mousemove", move);
      map.on("contextmenu", copy);
      map.on("move", measure);
      measure();
      off = () => {
        map.off("mousemove", move);
        map.off("contextmenu", copy);
        map.off("move", measure);
      };
    };
    attach();
    return () => {
      window.clearTimeout(timer);
      off?.();
    };
  }, [notation]);

  const next = NOTATIONS[(NOTATIONS.indexOf(notation) + 1) % NOTATIONS.length] ?? "degrees";
  return (
    <div className="read-out" data-testid="read-out">
      {at && (
        <button type="button" onClick={() => setNotation(next)} title={t("map.notation")}>
          <span className="muted">{t(`map.${notation}`)}</span>
          <span className="num" title={t("map.copyHere")}>
            {copied ? t("i18n.copied") : formatCoordinate(at, notation)}
          </span>
        </button>
      )}
      {scale && (
        <span className="scale-bar">
          <i style={{ width: `${scale.pixels}px` }} />
          {formatLength(scale.metres, tongue)}
        </span>
      )}
    </div>
  );
}

/** Zoom, north, tilt and measuring, as a quiet column. */
export function MapTools({ measuring }: { measuring?: Measuring }) {
  const { t } = useWords();
  return (
    <div className="map-tools" role="toolbar" aria-label={t("map.layers")}>
      <div className="map-tool-group">
        <button
          type="button"
          onClick={() => currentMap()?.zoomIn()}
          aria-label={t("map.zoomIn")}
          title={t("map.zoomIn")}
        >
          +
        </button>
        <button
          type="button"
          onClick={() => currentMap()?.zoomOut()}
          aria-label={t("map.zoomOut")}
          title={t("map.zoomOut")}
        >
          −
        </button>
        <button
          type="button"
          aria-label={t("map.north")}
          title={t("map.north")}
          onClick={() => currentMap()?.easeTo({ bearing: 0, pitch: 0, duration: 200 })}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="M8 1.5 11.5 14 8 11.6 4.5 14Z" fill="currentColor" />
          </svg>
        </button>
        <button
          type="button"
          aria-label={t("map.tilt")}
          title={t("map.tilt")}
          onClick={() => {
            const map = currentMap();
            map?.easeTo({ pitch: map.getPitch() > 5 ? 0 : 45, zoom: Math.max(14.2, map.getZoom()), duration: 200 });
          }}
        >
          3D
        </button>
      </div>
      {measuring && (
        <div className="map-tool-group">
          {(["length", "area"] as const).map((figure) => (
            <button
              key={figure}
              type="button"
              aria-pressed={measuring.figure === figure}
              aria-label={t(figure === "length" ? "map.measureLength" : "map.measureArea")}
              title={t(figure === "length" ? "map.measureLength" : "map.measureArea")}
              data-testid={`measure-${figure}`}
              onClick={() => measuring.begin(measuring.figure === figure ? null : figure)}
            >
              <svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="1.5">
                {figure === "length" ? <path d="M2 12 6 5l4 5 4-7" /> : <path d="M3 12 5 3l8 2-1 8Z" />}
              </svg>
            </button>
          ))}
        </div>
      )}
      {measuring?.figure && (
        <p className="measure-text" role="status" data-testid="measure-text">
          {measuring.text}
        </p>
      )}
    </div>
  );
}
