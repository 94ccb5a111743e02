import { useEffect, useMemo, useState } from "react";
import { alertLayers, routeLayers } from "../alerts/overlays";
import { useAlert, useAlerts } from "../alerts/useAlerts";
import type { AlertSummary, Order } from "../api/types";
import { Panel } from "../components/Panel";
import { useWords } from "../i18n";
import { BaseMapChooser } from "../map/BaseMapChooser";
import { FeatureCard } from "../map/FeatureCard";
import { flyTo } from "../map/instance";
import { LayerTree } from "../map/LayerTree";
import { MapTools, ReadOut } from "../map/MapTools";
import { MapView, type Pick } from "../map/MapView";
import { TimeBar } from "../map/TimeBar";
import { useCatalogue } from "../map/useCatalogue";
import { changeFilters, changeView, useView } from "../state/location";
import { may, useMe } from "../state/session";
import { selected } from "../state/view";
import { remPixels } from "../theme/tokens";
import { AlertCard } from "./AlertCard";
import { AlertColumn } from "./AlertColumn";
import { EvidenceColumn } from "./EvidenceColumn";
import { Figures, useFigures } from "./Figures";
import { Header, useMode } from "./Header";
import { ListBehind } from "./ListBehind";
import { useCommand, useTrails } from "./useCommand";
import "./wall.css";

/** Aspect from which a wall has room for the evidence column. */
const WIDE = "(min-aspect-ratio: 27 / 10)";
/** Aspect from which that column holds two rows of three. */
const VERY_WIDE = "(min-aspect-ratio: 45 / 10)";

/** The same alerts that the figure 待处置告警 counts (its `list_url`), so that figure, list and column agree. */
const NEWEST = { state: "live", order: "newest", limit: "100" };

/** One and the same nothing: a new list each time would draw the map again each time. */
const NO_ORDERS: readonly Order[] = [];

function useMedia(query: string): boolean {
  const [wide, setWide] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const media = window.matchMedia(query);
    const change = () => setWide(media.matches);
    media.addEventListener("change", change);
    return () => media.removeEventListener("change", change);
  }, [query]);
  return wide;
}

/** The command wall: the map is the page, panels stand at its edges. */
export default function Wall() {
  const { t } = useWords();
  const view = useView();
  const me = useMe();
  const mode = useMode();
  const wide = useMedia(WIDE);
  const veryWide = useMedia(VERY_WIDE);
  const catalogue = useCatalogue("wall");
  const figures = useFigures();
  const alerts = useAlerts(NEWEST);
  const chosen = selected(view);
  const alertId = chosen?.kind === "alert" ? chosen.id : null;
  const alert = useAlert(alertId);
  const command = useCommand(alertId, may(me, "dispatch"));
  const orders = command.orders.resource.data ?? NO_ORDERS;
  const trails = useTrails(alertId === null ? [] : orders);
  const [feature, setFeature] = useState<Pick | null>(null);
  const layersOpen = view.filters.panel === "layers";

  const detail = alertId === null ? null : alert.resource.data;
  const proposal = alertId === null || orders.length > 0 ? null : command.proposal.resource.data;
  const overlays = useMemo(
    () => [...routeLayers(proposal, alertId === null ? [] : orders, trails), ...(detail ? alertLayers(detail) : [])],
    [proposal, alertId, orders, trails, detail],
  );

  const choose = (to: Pick2 | AlertSummary) => {
    setFeature(null);
    changeView({ selection: `alert:${to.id}` });
    const at = "place" in to ? to.place : to;
    flyTo({ lon: at.lon, lat: at.lat }, [-10 * remPixels(), 0]);
  };

  const figure = figures.resource.data?.find((f) => f.id === view.filters.list);
  const freshAt = figures.resource.data?.[0]?.as_of ?? alerts.resource.data?.as_of ?? null;

  return (
    <main className={`wall ${wide ? "wall-wide" : ""}`} data-testid="wall">
      <MapView
        name="wall"
        theme="dark"
        catalogue={catalogue}
        overlays={overlays}
        onPick={(pick) => {
          if (pick?.layer.id === "alerts" && pick.id) choose({ id: pick.id, lon: pick.lon, lat: pick.lat });
          else setFeature(pick);
        }}
      />
      <Header freshAt={freshAt} />
      {mode === "drill" && <p className="drill-bar">{t("wall.drillBar")}</p>}
      <div className="wall-left">
        <Figures reading={figures} />
      </div>
      {figure && <ListBehind figure={figure} />}
      <AlertColumn reading={alerts} chosen={alertId} onChoose={choose} />
      {wide && <EvidenceColumn most={veryWide ? 6 : 3} reading={alerts} onChoose={choose} />}
      {alertId !== null && <AlertCard reading={alert} command={command} />}
      {feature && alertId === null && (
        <div className="wall-feature">
          <FeatureCard pick={feature} onClose={() => setFeature(null)} />
        </div>
      )}
      <div className="wall-time panel">
        <TimeBar />
      </div>
      <div className="wall-tools">
        <button
          type="button"
          className="btn"
          aria-pressed={layersOpen}
          data-testid="open-layers"
          onClick={() => changeFilters({ panel: layersOpen ? null : "layers" })}
        >
          {t("map.layers")}
        </button>
        <MapTools />
        <ReadOut />
      </div>
      {layersOpen && (
        <Panel className="wall-layers" title={t("map.layers")}>
          <BaseMapChooser />
          <LayerTree catalogue={catalogue} />
        </Panel>
      )}
    </main>
  );
}

/** A thing on the map that stands for an alert. */
interface Pick2 {
  id: string;
  lon: number;
  lat: number;
}
