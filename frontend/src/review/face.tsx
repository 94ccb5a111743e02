import { useEffect, useMemo, useRef, useState } from "react";
import { alertLayers } from "../alerts/overlays";
import { useAlert, useAlerts } from "../alerts/useAlerts";
import { prefetch } from "../api/resource";
import type { AlertSummary } from "../api/types";
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
import { Evidence } from "./Evidence";
import { ImportDialog } from "./ImportDialog";
import { Queue, queueQuery } from "./Queue";
import { Swipe } from "./Swipe";
import { useKeys } from "./useKeys";
import { useVerdict, type Verdict } from "./useVerdict";
import { REASONS, VerdictBar } from "./VerdictBar";
import "./review.css";

function inView(alerts: readonly AlertSummary[]): AlertSummary[] {
  const bounds = currentMap()?.getBounds();
  return bounds ? alerts.filter((a) => bounds.contains([a.place.lon, a.place.lat])) : [...alerts];
}

/** The review desk: queue, map, evidence. */
export default function Review() {
  const { t } = useWords();
  const me = useMe();
  const view = useView();
  const catalogue = useCatalogue("review");
  const alerts = useAlerts(queueQuery(view.filters));
  const judging = useVerdict();
  const measuring = useMeasure();
  const [asking, setAsking] = useState(false);
  const [feature, setFeature] = useState<Pick | null>(null);
  const [hovered, setHovered] = useState<AlertSummary | null>(null);
  const [importing, setImporting] = useState(false);
  const judged = useRef<AlertSummary | null>(null);

  const chosen = selected(view);
  const alertId = chosen?.kind === "alert" ? chosen.id : null;
  const caseId = chosen?.kind === "case" ? chosen.id : null;
  const alert = useAlert(alertId);
  const case_ = useCase(caseId);
  const detail = alertId === null ? null : alert.resource.data;
  const onlyInView = view.filters.inview === "1";
  const all = alerts.resource.data?.items;
  const visible = useMemo(() => (onlyInView ? inView(all ?? []) : (all ?? [])), [all, onlyInView, view.camera]);
  const at = visible.findIndex((a) => String(a.id) === alertId);
  const tab = view.filters.tab === "cases" || (view.filters.tab === undefined && caseId !== null) ? "cases" : "alerts";
  const comparing = view.filters.compare === "1" && Boolean(detail?.comparison);
  const layersOpen = view.filters.panel === "layers";

  const choose = (to: AlertSummary | undefined) => {
    setAsking(false);
    setFeature(null);
    if (!to) return;
    const { compare: _compare, swipe: _swipe, ...filters } = view.filters;
    changeView({ selection: `alert:${to.id}`, filters });
    flyTo(to.place);
  };
  const step = (by: 1 | -1) => choose(visible[at < 0 ? 0 : at + by]);

  useEffect(() => {
    const next = visible[at + 1];
    if (at >= 0 && next) prefetch(`/alerts/${next.id}`);
  }, [visible, at]);

  const decide = async (verdict: Verdict, reason = "") => {
    if (!detail?.actions.includes("verdict")) return;
    const next = visible[at + 1] ?? visible[at - 1];
    setAsking(false);
    judged.current = detail;
    if (!(await judging.judge(detail, verdict, reason))) return;
    alerts.reload();
    if (next && verdict !== "unsure") choose(next);
  };
  const undo = async () => {
    const id = await judging.undo();
    if (id === null) return;
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
    x: () => detail?.actions.includes("verdict") && setAsking(true),
    u: () => void undo(),
    escape: () => setAsking(false),
    ...reasonKeys,
  });

  const overlays = useMemo(
    () => [...measuring.layers, ...(detail ? alertLayers(detail) : [])],
    [measuring.layers, detail],
  );

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
            {(["alerts", "cases"] as const).map((each) => (
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
          {tab === "alerts" ? (
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
            onClick={measuring.take}
            onPick={(pick) => {
              if (pick?.id && pick.layer.id === "alerts") {
                const known = visible.find((a) => String(a.id) === pick.id);
                if (known) choose(known);
                else changeView({ selection: `alert:${pick.id}` });
              } else if (pick?.id && pick.layer.id === "cases") changeView({ selection: `case:${pick.id}` });
              else setFeature(pick);
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
            {comparing && detail && <Swipe key={detail.id} alert={detail} />}
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
              <VerdictBar
                alert={detail}
                judging={judging}
                asking={asking}
                setAsking={setAsking}
                decide={(verdict, reason) => void decide(verdict, reason)}
                step={step}
                undo={() => void undo()}
              />
            </>
          ) : caseId !== null ? (
            <CaseView reading={case_} />
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
