import type { Layer, PickingInfo } from "@deck.gl/core";
import type { MapMouseEvent } from "maplibre-gl";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import type { LayerDeclaration } from "../api/types";
import { Failed, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { useView } from "../state/location";
import { mark } from "../state/marks";
import { paintScale } from "../theme/tokens";
import type { BaseTheme } from "./basemap";
import { MapContracts } from "./ContractBadge";
import { type Hydrated, hydrate } from "./deckspec";
import { useBaseMaps, useGround } from "./ground";
import type { ShownLayers } from "./useCatalogue";
import { useLayerData } from "./useLayerData";
import { useMap } from "./useMap";
import { within } from "./window";
import "./map.css";

/** What stood under the pointer. */
export interface Pick {
  layer: LayerDeclaration;
  id: string | null;
  properties: Record<string, unknown>;
  lon: number;
  lat: number;
}

interface Props {
  name: string;
  theme: BaseTheme;
  catalogue: ShownLayers;
  /** Layers that panels draw on top (a selected place, routes, a measured path). */
  overlays?: readonly Layer[];
  onPick?: (pick: Pick | null) => void;
  /** Takes the click before anything is picked, e.g. while measuring; true when it was taken. */
  onClick?: (lon: number, lat: number) => boolean;
  onHover?: (pick: Pick | null) => void;
  children?: ReactNode;
}

/** One and the same nothing: a new list each time would draw the map again each time. */
const NOTHING: readonly Layer[] = [];

function pickOf(info: PickingInfo, layers: readonly LayerDeclaration[]): Pick | null {
  const layer = layers.find((l) => l.id === info.layer?.id);
  const object = info.object as { id?: unknown; properties?: Record<string, unknown> } | undefined;
  if (!layer || !object || !info.coordinate) return null;
  const properties = object.properties ?? (object as Record<string, unknown>);
  const id = properties.id ?? object.id;
  return {
    layer,
    id: id === undefined || id === null ? null : String(id),
    properties,
    lon: info.coordinate[0] ?? 0,
    lat: info.coordinate[1] ?? 0,
  };
}

/** The map: base style of the server, the catalogue's layers that are on, and what panels put on top. */
export function MapView({ name, theme, catalogue, overlays = NOTHING, onPick, onClick, onHover, children }: Props) {
  const { t, pick } = useWords();
  const [tileProblem, setTileProblem] = useState<string | null>(null);
  const container = useRef<HTMLDivElement>(null);
  const { time } = useView();
  const handle = useMap(container, theme);
  const { chosen } = useBaseMaps();
  const groundFailing = useGround(handle.map, chosen, theme);
  const { declared } = catalogue;
  const on = useMemo(() => declared.filter((layer) => layer.id in catalogue.shown), [declared, catalogue.shown]);
  const rows = useLayerData(on);

  const kept = useRef(new Map<string, { from: readonly unknown[]; made: Hydrated }>());
  const hydrated = useMemo(() => {
    const scale = paintScale();
    const drawn = on.filter((layer) => layer.source.type !== "geojson" || rows[layer.id]?.data !== undefined);
    const fresh = new Map<string, { from: readonly unknown[]; made: Hydrated }>();
    for (const layer of drawn) {
      const { data, turn = 0 } = rows[layer.id] ?? {};
      const opacity = catalogue.shown[layer.id] ?? 1;
      const small = layer.source.type === "geojson";
      const from = [layer, small ? data : turn, opacity, scale, handle.overlay, handle.beforeId, small ? time : null];
      const before = kept.current.get(layer.id);
      const same = before?.from.every((value, at) => value === from[at]);
      const made = () =>
        hydrate(layer, {
          opacity,
          scale,
          turn,
          beforeId: handle.beforeId,
          onTileError: (error) => {
            if (error.name !== "AbortError") setTileProblem(error.message);
          },
          data: small ? within(data, time) : undefined,
        });
      fresh.set(layer.id, before && same ? before : { from, made: made() });
    }
    kept.current = fresh;
    return [...fresh.values()].map((each) => each.made);
  }, [on, rows, catalogue.shown, handle.overlay, handle.beforeId, time]);

  const problems = useMemo(() => {
    const found = hydrated.filter((h) => h.problem !== null).map((h) => ({ layer: h.id, message: h.problem ?? "" }));
    for (const layer of on) {
      const problem = rows[layer.id]?.problem;
      if (problem) found.push({ layer: layer.id, message: problem });
    }
    return found;
  }, [hydrated, on, rows]);

  const calls = useRef({ onPick, onClick, onHover });
  calls.current = { onPick, onClick, onHover };

  const { overlay, map } = handle;
  // Where a click is, the base map says at once; what lies there deck.gl finds out later, and not at all while a faster click overtakes it.
  const taken = useRef(false);
  useEffect(() => {
    if (!map) return;
    const click = (event: MapMouseEvent) => {
      taken.current = calls.current.onClick?.(event.lngLat.lng, event.lngLat.lat) ?? false;
    };
    map.on("click", click);
    return () => void map.off("click", click);
  }, [map]);
  useEffect(() => {
    if (!overlay || !map) return;
    const layers = [...hydrated.flatMap((h) => (h.layer ? [h.layer] : [])), ...overlays];
    overlay.setProps({
      layers,
      pickingRadius: 4,
      getCursor: ({ isHovering }: { isHovering: boolean }) => (isHovering ? "pointer" : "grab"),
      onClick: (info: PickingInfo) => {
        window.setTimeout(() => taken.current || calls.current.onPick?.(pickOf(info, on)));
      },
      onHover: (info: PickingInfo) => calls.current.onHover?.(pickOf(info, on)),
      onError: (error: Error) => window.__hdq.problems.push({ layer: "deck", message: error.message }),
    });
    window.__hdq.layers = () => layers;
    window.__hdq.maps[name] = map;
    mark("map.layers", layers.length);
  }, [overlay, map, hydrated, overlays, on, name]);

  useEffect(() => {
    window.__hdq.problems = problems;
  }, [problems]);

  const titleOf = (id: string) => {
    const layer = on.find((l) => l.id === id);
    return layer ? pick(layer.title, layer.title_en) : id;
  };
  const notes = [
    ...(problems.length > 0
      ? [t("map.layersBroken", { names: problems.map((p) => titleOf(p.layer)).join("、") })]
      : []),
    ...(groundFailing && chosen ? [t("map.groundFailing", { name: pick(chosen.title, chosen.title_en) })] : []),
    ...(handle.tileProblem !== null || tileProblem !== null ? [t("map.tilesMissing")] : []),
    ...on.filter((l) => rows[l.id]?.truncated).map((l) => t("map.truncated", { name: titleOf(l.id) })),
  ];
  return (
    <div className="map" data-testid="map">
      <div className="map-canvas" ref={container} />
      {handle.problem && (
        <div className="map-failed">
          <Failed problem={handle.problem} retry={handle.reload} />
        </div>
      )}
      {!handle.map && !handle.problem && (
        <div className="map-loading">
          <Skeleton rows={1} height="100%" />
        </div>
      )}
      {notes.length > 0 && (
        <p className="map-note" role="status" data-testid="map-problem">
          {notes.join("；")}
        </p>
      )}
      {chosen && chosen.attribution !== "" && (
        <p className="map-credit" data-testid="map-credit">
          {chosen.attribution}
        </p>
      )}
      <MapContracts layers={on} contracts={catalogue.contracts} />
      {children}
    </div>
  );
}
