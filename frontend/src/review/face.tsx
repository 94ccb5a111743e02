import { useEffect, useMemo, useRef, useState } from "react";
import { alertLayers } from "../alerts/overlays";
import { useAlert, useAlerts } from "../alerts/useAlerts";
import { prefetch } from "../api/resource";
import type { AlertDetail, AlertSummary, PatchFeature, PatchStep } from "../api/types";
import { DeskHeader } from "../components/DeskHeader";
import { Drawn, Empty, Panel, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { BaseMapChooser } from "../map/BaseMapChooser";
import { FeatureCard } from "../map/FeatureCard";
import { currentMap, flyTo } from "../map/instance";
import { LayerTree } from "../map/LayerTree";
import { MapTools, ReadOut } from "../map/MapTools";
import { MapView, type Pick } from "../map/MapView";
import { SearchBox } from "../map/SearchBox";
import { TimeBar } from "../map/TimeBar";
import { useCatalogue } from "../map/useCatalogue";
import { useMeasure } from "../map/useMeasure";
import { changeFilters, changeView, useView } from "../state/location";
import { may, useMe } from "../state/session";
import { selected } from "../state/view";
import { CaseQueue } from "./CaseQueue";
import { CaseView, useCase } from "./CaseView";
import { Compare, type Comparison } from "./Compare";
import { Evidence } from "./Evidence";
import { Flips } from "./Flips";
import { ImportDialog } from "./ImportDialog";
import { PatchQueue, usePatches } from "./PatchQueue";
import { PatchView, usePatch } from "./PatchView";
import { patchLayers, standLayers } from "./patchLayers";
import { Queue, queueQuery } from "./Queue";
import { useKeys } from "./useKeys";
import { useVerdict, type Verdict } from "./useVerdict";
import { REASONS, VerdictBar } from "./VerdictBar";
import "./review.css";

function inView(alerts: readonly AlertSummary[]): AlertSummary[] {
  const bounds = currentMap()?.getBounds();
  return bounds ? alerts.filter((a) => bounds.contains([a.place.lon, a.place.lat])) : [...alerts];
}

const TABS = ["alerts", "patches", "cases", "flips"] as const;

function alertComparison(alert: AlertDetail): Comparison | null {
  if (!alert.comparison) return null;
  const shapes = alert.observations.flatMap((o) => (o.footprint ? [o.footprint] : []));
  return {
    beforeScene: alert.comparison.before_scene,
    afterScene: alert.comparison.after_scene,
    beforeAt: alert.comparison.before_at,
    afterAt: alert.comparison.after_at,
    outlines: {
      type: "FeatureCollection",
      features: shapes.map((geometry) => ({ type: "Feature", properties: {}, geometry: geometry as never })),
    },
    place: alert.place,
  };
}

function patchComparison({ geometry, properties }: PatchFeature): Comparison {
  return {
    beforeScene: properties.before_scene,
    afterScene: properties.after_scene,
    beforeAt: properties.before_at,
    afterAt: properties.after_at,
    outlines: {
      type: "FeatureCollection",
      features: [{ type: "Feature", properties: {}, geometry: geometry as never }],
    },
    place: properties,
  };
}

/** The review desk: queue, map, evidence. */
export default function Review() {
  const { t } = useWords();
  const me = useMe();
  const view = useView();
  const catalogue = useCatalogue("review");
  const alerts = useAlerts(queueQuery(view.filters));
  const patches = usePatches();
  const ofAlerts = useVerdict();
  const ofPatches = useVerdict("patches");
  const measuring = useMeasure();
  const [asking, setAsking] = useState(false);
  const [feature, setFeature] = useState<Pick | null>(null);
  const [hovered, setHovered] = useState<AlertSummary | null>(null);
  const [importing, setImporting] = useState(false);
  const [former, setFormer] = useState<PatchStep | null>(null);
  const [point, setPoint] = useState<{ lon: number; lat: number } | null>(null);
  const [stand, setStand] = useState<{ lon: number; lat: number; azimuth_deg: number } | null>(null);
  const judged = useRef<AlertSummary | null>(null);

  const chosen = selected(view);
  const alertId = chosen?.kind === "alert" ? chosen.id : null;
  const caseId = chosen?.kind === "case" ? chosen.id : null;
  const patchId = chosen?.kind === "patch" ? chosen.id : null;
  const alert = useAlert(alertId);
  const patch = usePatch(patchId);
  const case_ = useCase(caseId);
  const detail = alertId === null ? null : alert.resource.data;
  const onlyInView = view.filters.inview === "1";
  const all = alerts.resource.data?.items;
  const visible = useMemo(() => (onlyInView ? inView(all ?? []) : (all ?? [])), [all, onlyInView, view.camera]);
  const at = visible.findIndex((a) => String(a.id) === alertId);
  const onPatch = patchId !== null ? patch.resource.data : null;
  const tab = TABS.find((each) => each === view.filters.tab) ?? (caseId !== null ? "cases" : "alerts");
  const judging = patchId !== null ? ofPatches : ofAlerts;
  const mayJudge = patchId !== null ? Boolean(onPatch?.may_judge) : Boolean(detail?.actions.includes("verdict"));
  const pictures = useMemo(
    () => (onPatch ? patchComparison(onPatch.patch) : detail ? alertComparison(detail) : null),
    [onPatch, detail],
  );
  const comparing = view.filters.compare === "1" && pictures !== null;
  const layersOpen = view.filters.panel === "layers";

  const choose = (to: AlertSummary | undefined) => {
    setAsking(false);
    setFeature(null);
    if (!to) return;
    const { compare: _compare, swipe: _swipe, ...filters } = view.filters;
    changeView({ selection: `alert:${to.id}`, filters });
    flyTo(to.place);
  };
  const choosePatch = (to: { id: number; properties: { lon: number; lat: number } } | undefined) => {
    setAsking(false);
    setFeature(null);
    measuring.begin(null);
    if (!to) return;
    const { swipe: _swipe, ...filters } = view.filters;
    changeView({ selection: `patch:${to.id}`, filters: { ...filters, tab: "patches" } });
    flyTo(to.properties);
  };
  const patchAt = patches.shown.findIndex((each) => String(each.id) === patchId);
  const step = (by: 1 | -1) =>
    tab === "patches"
      ? choosePatch(patches.shown[patchAt < 0 ? 0 : patchAt + by])
      : choose(visible[at < 0 ? 0 : at + by]);

  // A shared link without a camera shows the patch it names.
  const unplaced = view.camera === null ? onPatch : null;
  useEffect(() => {
    if (unplaced) flyTo(unplaced.patch.properties);
  }, [unplaced]);

  // An earlier outline and the point of the index belong to one patch, a place to stand to one case.
  useEffect(() => {
    setFormer(null);
    setPoint(null);
    setStand(null);
  }, [view.selection]);

  useEffect(() => {
    const next = visible[at + 1];
    if (at >= 0 && next) prefetch(`/alerts/${next.id}`);
  }, [visible, at]);

  const decidePatch = async (verdict: Verdict, reason: string) => {
    if (!onPatch?.may_judge || verdict === "unsure") return;
    const next = patches.shown[patchAt + 1] ?? patches.shown[patchAt - 1];
    setAsking(false);
    const { id, properties } = onPatch.patch;
    if (!(await ofPatches.judge({ id, version: properties.version }, verdict, reason))) return;
    patches.reading.reload();
    patches.cycles.reload();
    if (next) choosePatch(next);
    else patch.reload();
  };
  const decide = async (verdict: Verdict, reason = "") => {
    if (patchId !== null) return decidePatch(verdict, reason);
    if (!detail?.actions.includes("verdict")) return;
    const next = visible[at + 1] ?? visible[at - 1];
    setAsking(false);
    judged.current = detail;
    if (!(await ofAlerts.judge(detail, verdict, reason))) return;
    alerts.reload();
    if (next && verdict !== "unsure") choose(next);
  };
  const undo = async () => {
    const id = await judging.undo();
    if (id === null) return;
    if (judging === ofPatches) {
      patches.reading.reload();
      changeView({ selection: `patch:${id}` });
      patch.reload();
      return;
    }
    alerts.reload();
    changeView({ selection: `alert:${id}` });
    alert.reload();
    const back = judged.current;
    if (back?.id === id) flyTo(back.place);
  };

  const reasonKeys = Object.fromEntries(
    REASONS.map((reason, i) => [String(i + 1), asking ? () => void decide("false", reason) : undefined]),
  );
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    a: () => void decide("true"),
    s: () => void decide("unsure"),
    x: () => mayJudge && setAsking(true),
    u: () => void undo(),
    escape: () => setAsking(false),
    ...reasonKeys,
  });

  const overlays = useMemo(
    () => [
      ...(detail ? alertLayers(detail) : []),
      ...(onPatch ? patchLayers(onPatch.patch, former, point) : []),
      ...(stand ? standLayers(stand) : []),
      ...measuring.layers,
    ],
    [measuring.layers, detail, onPatch, former, point, stand],
  );

  const bar = {
    may: mayJudge,
    judging,
    asking,
    setAsking,
    decide: (verdict: Verdict, reason?: string) => void decide(verdict, reason),
    step,
    undo: () => void undo(),
  };
  return (
    <div className="review" data-testid="review">
      <DeskHeader>
        <SearchBox onLayer={(id) => id in catalogue.shown || catalogue.toggle(id)} />
        {may(me, "import") && (
          <button type="button" className="btn" onClick={() => setImporting(true)} data-testid="open-import">
            {t("review.import")}
          </button>
        )}
      </DeskHeader>
      <main className="review-panes">
        <section className="review-queue">
          <div className="tabs" role="tablist">
            {TABS.map((each) => (
              <button
                key={each}
                type="button"
                role="tab"
                aria-selected={tab === each}
                data-testid={`tab-${each}`}
                onClick={() => changeFilters({ tab: each })}
              >
                {t(`review.${each}`)}
              </button>
            ))}
          </div>
          {tab === "patches" ? (
            <PatchQueue patches={patches} chosen={patchId} onChoose={choosePatch} />
          ) : tab === "flips" ? (
            <Flips chosen={alertId} />
          ) : tab === "alerts" ? (
            <Queue reading={alerts} visible={visible} chosen={alertId} onChoose={choose} onHover={setHovered} />
          ) : (
            <CaseQueue chosen={caseId} />
          )}
        </section>
        <section className="review-map" data-hovered={hovered?.id}>
          <MapView
            name="review"
            theme="light"
            catalogue={catalogue}
            overlays={overlays}
            onClick={(lon, lat) => {
              if (measuring.take(lon, lat)) return true;
              if (patchId === null) return false;
              setPoint({ lon, lat });
              return false;
            }}
            onPick={(pick) => {
              if (pick?.id && pick.layer.id === "alerts") {
                const known = visible.find((a) => String(a.id) === pick.id);
                if (known) choose(known);
                else changeView({ selection: `alert:${pick.id}` });
              } else if (pick?.id && pick.layer.id === "cases") changeView({ selection: `case:${pick.id}` });
              else if (pick?.id && pick.layer.id === "patches") {
                if (pick.id !== patchId)
                  changeView({ selection: `patch:${pick.id}`, filters: { ...view.filters, tab: "patches" } });
              } else setFeature(pick);
            }}
          >
            <button
              type="button"
              className="btn review-layers-button"
              aria-pressed={layersOpen}
              data-testid="open-layers"
              onClick={() => changeFilters({ panel: layersOpen ? null : "layers" })}
            >
              {t("map.layers")}
            </button>
            {layersOpen && (
              <Panel className="review-layers">
                <BaseMapChooser />
                <LayerTree catalogue={catalogue} />
              </Panel>
            )}
            {feature && (
              <div className="review-feature">
                <FeatureCard pick={feature} onClose={() => setFeature(null)} />
              </div>
            )}
            <MapTools measuring={measuring} />
            <ReadOut />
            {comparing && pictures && <Compare key={view.selection} shown={pictures} asking={asking} />}
          </MapView>
          <div className="review-time">
            <TimeBar />
          </div>
        </section>
        <section className="review-evidence">
          {alertId !== null ? (
            <>
              <Drawn reading={alert} skeleton={<Skeleton rows={7} height="4rem" />}>
                {(data) => <Evidence alert={data} />}
              </Drawn>
              <VerdictBar {...bar} />
            </>
          ) : patchId !== null ? (
            <>
              <Drawn reading={patch} skeleton={<Skeleton rows={7} height="4rem" />}>
                {(data) => (
                  <PatchView
                    detail={data}
                    measuring={measuring}
                    point={point}
                    onOutline={setFormer}
                    onChanged={(id) => {
                      patches.reading.reload();
                      patch.reload();
                      changeView({ selection: `patch:${id}` });
                    }}
                  />
                )}
              </Drawn>
              <VerdictBar {...bar} verdicts={["true", "false"]} />
            </>
          ) : caseId !== null ? (
            <CaseView
              reading={case_}
              onStand={(to) => {
                setStand(to);
                flyTo({ ...to, zoom: 17 });
              }}
            />
          ) : (
            <Empty title={t("review.choose")} hint={t("review.chooseHint")} />
          )}
        </section>
      </main>
      {importing && (
        <ImportDialog
          onClose={() => setImporting(false)}
          onShow={(layer) => changeView({ layers: { ...catalogue.shown, [layer]: 1 } })}
        />
      )}
    </div>
  );
}
