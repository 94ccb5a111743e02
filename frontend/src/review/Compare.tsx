import type { FeatureCollection } from "geojson";
import { Map as BaseMap, type GeoJSONSource, type RasterTileSource, type StyleSpecification } from "maplibre-gl";
import { useEffect, useRef, useState } from "react";
import type { Show } from "../api/types";
import { useWords } from "../i18n";
import { dayOnly } from "../i18n/time";
import { changeFilters, changeView, place, useView } from "../state/location";
import { token } from "../theme/tokens";
import { MaskLegend, maskTiles, ShowChooser, ShowLegend, sceneTiles, useShow } from "./ShowChooser";
import { useKeys } from "./useKeys";
import "./compare.css";

const STEP = 0.02;
const BLINK_MS = 900;
const MODES = ["swipe", "blink", "beside"] as const;
type Mode = (typeof MODES)[number];

/** Two pictures of one place and the outlines on them. */
export interface Comparison {
  beforeScene: string;
  afterScene: string;
  beforeAt: string;
  afterAt: string;
  outlines: FeatureCollection;
  place: { lon: number; lat: number };
}

const shownAs = (on: boolean) => (on ? "visible" : "none");

function sceneStyle(
  scene: string,
  show: Show | null,
  veiled: boolean,
  outlines: FeatureCollection,
): StyleSpecification {
  return {
    version: 8,
    sources: {
      scene: {
        type: "raster",
        tiles: sceneTiles(scene, show),
        tileSize: 256,
        maxzoom: 18,
      },
      mask: { type: "raster", tiles: maskTiles(scene), tileSize: 256, maxzoom: 18 },
      outline: { type: "geojson", data: outlines },
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
        id: "mask",
        type: "raster",
        source: "mask",
        layout: { visibility: shownAs(veiled) },
        paint: { "raster-resampling": "nearest", "raster-fade-duration": 0, "raster-opacity": 0.75 },
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

function bounds(shown: Comparison): [[number, number], [number, number]] {
  const points: [number, number][] = [];
  const walk = (value: unknown): void => {
    if (!Array.isArray(value)) return;
    if (typeof value[0] === "number" && typeof value[1] === "number") points.push([value[0], value[1]]);
    else for (const inner of value) walk(inner);
  };
  for (const { geometry } of shown.outlines.features) walk((geometry as { coordinates?: unknown }).coordinates);
  if (points.length === 0) points.push([shown.place.lon, shown.place.lat]);
  const lons = points.map((p) => p[0]);
  const lats = points.map((p) => p[1]);
  const margin = 0.002;
  return [
    [Math.min(...lons) - margin, Math.min(...lats) - margin],
    [Math.max(...lons) + margin, Math.max(...lats) + margin],
  ];
}

function showTiles(map: BaseMap, tiles: string[]): void {
  const source = map.getSource("scene") as RasterTileSource | undefined;
  if (source && source.tiles[0] !== tiles[0]) source.setTiles(tiles);
}

/** Two vintages of the same place: under one divider, in turn, or side by side. Dates stay with their picture, keys change it, the URL keeps it. */
export function Compare({ shown, asking = false }: { shown: Comparison; asking?: boolean }) {
  const { t } = useWords();
  const { filters } = useView();
  const mode: Mode = MODES.find((each) => each === filters.mode) ?? "swipe";
  const share = Math.min(1, Math.max(0, Number(filters.swipe ?? "0.5") || 0));
  const before = useRef<HTMLDivElement>(null);
  const after = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const maps = useRef<BaseMap[]>([]);
  const [missing, setMissing] = useState<{ before: boolean; after: boolean }>({ before: false, after: false });
  const [later, setLater] = useState(true);
  const [running, setRunning] = useState(() => !window.matchMedia("(prefers-reduced-motion: reduce)").matches);
  const { beforeScene, afterScene } = shown;
  const { all, show: chosen } = useShow(beforeScene, afterScene);
  const veiled = filters.mask === "1";
  const latest = useRef({ shown, chosen, veiled });
  latest.current = { shown, chosen, veiled };

  useEffect(() => {
    if (!before.current || !after.current) return;
    const { shown: now, chosen: show, veiled: masked } = latest.current;
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
          style: sceneStyle(i === 0 ? beforeScene : afterScene, show, masked, now.outlines),
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
    // What is chosen may arrive before the style that takes it.
    for (const [map, scene] of [
      [left, beforeScene],
      [right, afterScene],
    ] as const)
      map.once("style.load", () => {
        showTiles(map, sceneTiles(scene, latest.current.chosen));
        map.setLayoutProperty("mask", "visibility", shownAs(latest.current.veiled));
      });
    left.on("error", () => setMissing((old) => ({ ...old, before: true })));
    right.on("error", () => setMissing((old) => ({ ...old, after: true })));
    right.on("moveend", () => {
      const { lng, lat } = right.getCenter();
      changeView({ camera: { lon: lng, lat, zoom: right.getZoom(), pitch: 0, bearing: 0 } }, "replace");
    });
    window.__hdq.maps.before = left;
    window.__hdq.maps.after = right;
    maps.current = [left, right];
    return () => {
      delete window.__hdq.maps.before;
      delete window.__hdq.maps.after;
      maps.current = [];
      left.remove();
      right.remove();
    };
  }, [beforeScene, afterScene]);

  useEffect(() => {
    for (const map of maps.current) (map.getSource("outline") as GeoJSONSource | undefined)?.setData(shown.outlines);
  }, [shown.outlines]);

  useEffect(() => {
    for (const [i, map] of maps.current.entries())
      showTiles(map, sceneTiles(i === 0 ? beforeScene : afterScene, chosen));
    setMissing({ before: false, after: false });
  }, [beforeScene, afterScene, chosen]);

  useEffect(() => {
    for (const map of maps.current)
      if (map.getLayer("mask")) map.setLayoutProperty("mask", "visibility", shownAs(veiled));
  }, [veiled]);

  // The halves are narrower than the whole: the maps must be told when the way of comparing changes.
  useEffect(() => {
    if (box.current?.dataset.mode === mode) for (const map of maps.current) map.resize();
  }, [mode]);

  useEffect(() => {
    if (mode !== "blink" || !running) return;
    const timer = window.setInterval(() => setLater((old) => !old), BLINK_MS);
    return () => window.clearInterval(timer);
  }, [mode, running]);

  const veil = () => changeFilters({ mask: veiled ? null : "1" }, "replace");
  const show = (next: Mode) => changeFilters({ mode: next === "swipe" ? null : next }, "replace");
  useKeys({
    // While a reason is asked for, figures choose the reason.
    1: asking ? undefined : () => show("swipe"),
    2: asking ? undefined : () => show("blink"),
    3: asking ? undefined : () => show("beside"),
    m: veil,
    b: () => {
      if (mode === "blink") {
        setRunning(false);
        setLater((old) => !old);
      } else show("blink");
    },
  });

  const move = (to: number) => changeFilters({ swipe: Math.min(1, Math.max(0, to)).toFixed(2) }, "replace");
  const clip = mode === "swipe" ? `inset(0 0 0 ${share * 100}%)` : undefined;
  const label = (side: "before" | "after") =>
    `${t(`review.${side}`)} ${dayOnly(side === "before" ? shown.beforeAt : shown.afterAt)}${missing[side] ? ` · ${t("review.noImage")}` : ""}`;
  return (
    <div className="swipe" ref={box} data-testid="swipe" data-mode={mode} data-later={later || undefined}>
      <div className="swipe-map swipe-first" ref={before} />
      <div className="swipe-clip" style={{ clipPath: clip }}>
        <div className="swipe-map" ref={after} />
      </div>
      <span className="swipe-date swipe-before num" hidden={mode === "blink" && later}>
        {label("before")}
      </span>
      <span className="swipe-date swipe-after num" hidden={mode === "blink" && !later}>
        {label("after")}
      </span>
      <div className="swipe-tools">
        {chosen && <ShowLegend show={chosen} />}
        {veiled && <MaskLegend />}
        <div className="swipe-modes" role="group" aria-label={t("review.compare")}>
          <ShowChooser all={all} show={chosen} />
          <button
            type="button"
            aria-pressed={veiled}
            title={t("review.show.maskHint")}
            data-testid="compare-mask"
            onClick={veil}
          >
            {t("review.show.mask")} <kbd>M</kbd>
          </button>
          {MODES.map((each, i) => (
            <button
              key={each}
              type="button"
              aria-pressed={mode === each}
              data-testid={`compare-${each}`}
              onClick={() => show(each)}
            >
              {t(`review.modes.${each}`)} <kbd>{i + 1}</kbd>
            </button>
          ))}
          {mode === "blink" && (
            <button type="button" aria-pressed={!running} onClick={() => setRunning((old) => !old)}>
              {t(running ? "review.modes.hold" : "review.modes.run")}
            </button>
          )}
        </div>
      </div>
      {mode === "swipe" && (
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
      )}
    </div>
  );
}
