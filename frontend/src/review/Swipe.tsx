import { Map as BaseMap, type GeoJSONSource, type StyleSpecification } from "maplibre-gl";
import { useEffect, useRef, useState } from "react";
import type { AlertDetail } from "../api/types";
import { useWords } from "../i18n";
import { dayOnly } from "../i18n/time";
import { changeFilters, changeView, place, useView } from "../state/location";
import { token } from "../theme/tokens";
import "./swipe.css";

const STEP = 0.02;

function outlines(alert: AlertDetail): GeoJSON.FeatureCollection {
  const shapes = alert.observations.flatMap((o) => (o.footprint ? [o.footprint] : []));
  const features = shapes.map((geometry) => ({
    type: "Feature" as const,
    properties: {},
    geometry: geometry as unknown as GeoJSON.Geometry,
  }));
  return { type: "FeatureCollection", features };
}

function sceneStyle(scene: string, alert: AlertDetail): StyleSpecification {
  return {
    version: 8,
    sources: {
      scene: {
        type: "raster",
        tiles: [`${window.location.origin}/rasters/${encodeURIComponent(scene)}/{z}/{x}/{y}.webp`],
        tileSize: 256,
        maxzoom: 18,
      },
      outline: { type: "geojson", data: outlines(alert) },
    },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": token("skeleton") } },
      {
        id: "scene",
        type: "raster",
        source: "scene",
        paint: { "raster-resampling": "nearest", "raster-fade-duration": 0 },
      },
      {
        id: "halo",
        type: "line",
        source: "outline",
        paint: { "line-color": "#ffffff", "line-width": 4, "line-opacity": 0.8 },
      },
      {
        id: "outline",
        type: "line",
        source: "outline",
        paint: { "line-color": token("sev-critical"), "line-width": 2 },
      },
    ],
  };
}

function bounds(alert: AlertDetail): [[number, number], [number, number]] {
  const points: [number, number][] = [];
  const walk = (value: unknown): void => {
    if (!Array.isArray(value)) return;
    if (typeof value[0] === "number" && typeof value[1] === "number") points.push([value[0], value[1]]);
    else for (const inner of value) walk(inner);
  };
  for (const { geometry } of outlines(alert).features) walk((geometry as { coordinates?: unknown }).coordinates);
  if (points.length === 0) points.push([alert.place.lon, alert.place.lat]);
  const lons = points.map((p) => p[0]);
  const lats = points.map((p) => p[1]);
  const margin = 0.002;
  return [
    [Math.min(...lons) - margin, Math.min(...lats) - margin],
    [Math.max(...lons) + margin, Math.max(...lats) + margin],
  ];
}

/** Two vintages of the same place under one divider. Dates stand on both sides, arrow keys move it, the URL keeps it. */
export function Swipe({ alert }: { alert: AlertDetail }) {
  const { t } = useWords();
  const { filters } = useView();
  const share = Math.min(1, Math.max(0, Number(filters.swipe ?? "0.5") || 0));
  const before = useRef<HTMLDivElement>(null);
  const after = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const [missing, setMissing] = useState<{ before: boolean; after: boolean }>({ before: false, after: false });
  const comparison = alert.comparison;
  const shown = useRef(alert);
  shown.current = alert;

  const beforeScene = comparison?.before_scene;
  const afterScene = comparison?.after_scene;
  useEffect(() => {
    if (!before.current || !after.current || !beforeScene || !afterScene) return;
    const now = shown.current;
    const common = {
      attributionControl: false as const,
      fadeDuration: 0,
      maxZoom: 19,
      pitchWithRotate: false,
      dragRotate: false,
      touchPitch: false,
    };
    const camera = place().view.camera;
    const [left, right] = [before.current, after.current].map(
      (container, i) =>
        new BaseMap({
          container,
          style: sceneStyle(i === 0 ? beforeScene : afterScene, now),
          ...(camera ? { center: [camera.lon, camera.lat] as [number, number], zoom: camera.zoom } : {}),
          ...common,
        }),
    ) as [BaseMap, BaseMap];
    left.fitBounds(bounds(now), { animate: false, maxZoom: 17, padding: 60 });
    right.jumpTo({ center: left.getCenter(), zoom: left.getZoom() });
    let following = false;
    const follow = (from: BaseMap, to: BaseMap) => () => {
      if (following) return;
      following = true;
      to.jumpTo({ center: from.getCenter(), zoom: from.getZoom() });
      following = false;
    };
    left.on("move", follow(left, right));
    right.on("move", follow(right, left));
    left.on("error", () => setMissing((old) => ({ ...old, before: true })));
    right.on("error", () => setMissing((old) => ({ ...old, after: true })));
    right.on("moveend", () => {
      const { lng, lat } = right.getCenter();
      changeView({ camera: { lon: lng, lat, zoom: right.getZoom(), pitch: 0, bearing: 0 } }, "replace");
    });
    window.__hdq.maps.before = left;
    window.__hdq.maps.after = right;
    return () => {
      delete window.__hdq.maps.before;
      delete window.__hdq.maps.after;
      left.remove();
      right.remove();
    };
  }, [beforeScene, afterScene]);

  useEffect(() => {
    for (const name of ["before", "after"]) {
      const source = (window.__hdq.maps[name] as BaseMap | undefined)?.getSource("outline") as
        | GeoJSONSource
        | undefined;
      source?.setData(outlines(alert));
    }
  }, [alert]);

  if (!comparison) return null;
  const move = (to: number) => changeFilters({ swipe: Math.min(1, Math.max(0, to)).toFixed(2) }, "replace");
  return (
    <div className="swipe" ref={box} data-testid="swipe">
      <div className="swipe-map" ref={before} />
      <div className="swipe-clip" style={{ clipPath: `inset(0 0 0 ${share * 100}%)` }}>
        <div className="swipe-map" ref={after} />
      </div>
      <span className="swipe-date swipe-before num">
        {t("review.before")} {dayOnly(comparison.before_at)}
        {missing.before && ` · ${t("review.noImage")}`}
      </span>
      <span className="swipe-date swipe-after num">
        {t("review.after")} {dayOnly(comparison.after_at)}
        {missing.after && ` · ${t("review.noImage")}`}
      </span>
      <div
        className="swipe-divider"
        style={{ left: `${share * 100}%` }}
        role="slider"
        tabIndex={0}
        aria-label={t("review.swipe")}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        data-testid="swipe-divider"
        onKeyDown={(event) => {
          const by = { ArrowLeft: -STEP, ArrowRight: STEP, Home: -1, End: 1 }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          move(share + by);
        }}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={(event) => {
          const frame = box.current?.getBoundingClientRect();
          if (frame && event.currentTarget.hasPointerCapture(event.pointerId))
            move((event.clientX - frame.left) / frame.width);
        }}
      >
        <i aria-hidden="true">⇔</i>
      </div>
    </div>
  );
}
