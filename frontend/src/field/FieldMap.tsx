import { ScatterplotLayer } from "@deck.gl/layers";
import { useMemo, useState } from "react";
import { useWords } from "../i18n";
import { FeatureCard } from "../map/FeatureCard";
import { currentMap, flyTo } from "../map/instance";
import { LayerTree } from "../map/LayerTree";
import { MapView, type Pick } from "../map/MapView";
import { useCatalogue } from "../map/useCatalogue";
import { changeView } from "../state/location";
import { hexRgba, token } from "../theme/tokens";
import type { Fix } from "./usePosition";

const NEAR = 16;
const ON_TOP = { depthCompare: "always" as const, depthWriteEnabled: false };

/** Oneself on the map: a dot in the ring of the position's accuracy (metres). */
function self(fix: Extract<Fix, { state: "found" }>): ScatterplotLayer[] {
  const accent = hexRgba(token("accent-mark"));
  const data = [[fix.lon, fix.lat] as [number, number]];
  const getPosition = (place: [number, number]) => place;
  return [
    new ScatterplotLayer({
      id: "self-accuracy",
      data,
      getPosition,
      getRadius: fix.accuracy,
      getFillColor: hexRgba(token("accent-mark"), 36),
      parameters: ON_TOP,
    }),
    new ScatterplotLayer({
      id: "self",
      data,
      getPosition,
      radiusUnits: "pixels",
      getRadius: 8,
      getFillColor: accent,
      stroked: true,
      lineWidthUnits: "pixels",
      getLineWidth: 3,
      getLineColor: [255, 255, 255, 255],
      parameters: ON_TOP,
    }),
  ];
}

/** The map on the phone: cases and alerts nearby, oneself, and thumb-sized controls; a tap on a case opens it. */
export function FieldMap({ fix }: { fix: Fix }) {
  const { t } = useWords();
  const catalogue = useCatalogue("field");
  const [pick, setPick] = useState<Pick | null>(null);
  const [layersOpen, setLayersOpen] = useState(false);
  const overlays = useMemo(() => (fix.state === "found" ? self(fix) : []), [fix]);
  const open = (thing: Pick | null) => {
    setLayersOpen(false);
    if (thing?.layer.id === "cases" && thing.id) changeView({ selection: `case:${thing.id}` });
    else setPick(thing);
  };
  return (
    <MapView name="field" theme="light" catalogue={catalogue} overlays={overlays} onPick={open}>
      <div className="field-map-tools" role="toolbar" aria-label={t("field.map")}>
        <button
          type="button"
          aria-pressed={layersOpen}
          data-testid="field-layers"
          onClick={() => setLayersOpen((on) => !on)}
        >
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="m12 4 9 5-9 5-9-5zM4 13.5l8 4.5 8-4.5" />
          </svg>
          <span>{t("map.layers")}</span>
        </button>
        <button type="button" aria-label={t("map.zoomIn")} onClick={() => currentMap()?.zoomIn()}>
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M12 5v14M5 12h14" />
          </svg>
        </button>
        <button type="button" aria-label={t("map.zoomOut")} onClick={() => currentMap()?.zoomOut()}>
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M5 12h14" />
          </svg>
        </button>
        {fix.state === "found" && (
          <button
            type="button"
            aria-label={t("field.locate")}
            data-testid="field-locate"
            onClick={() => flyTo({ lon: fix.lon, lat: fix.lat, zoom: Math.max(currentMap()?.getZoom() ?? NEAR, NEAR) })}
          >
            <svg viewBox="0 0 24 24" aria-hidden="true">
              <path d="M12 18a6 6 0 1 0 0-12 6 6 0 0 0 0 12ZM12 2.5V6m0 12v3.5M2.5 12H6m12 0h3.5" />
            </svg>
          </button>
        )}
      </div>
      {layersOpen && (
        <div className="field-layers panel" data-testid="field-layer-sheet">
          <LayerTree catalogue={catalogue} />
        </div>
      )}
      {pick && !layersOpen && <FeatureCard pick={pick} onClose={() => setPick(null)} />}
    </MapView>
  );
}
