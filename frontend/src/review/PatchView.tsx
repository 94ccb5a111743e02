import { useState } from "react";
import { LegalityLines } from "../alerts/Facts";
import { useGently } from "../alerts/useAlerts";
import { useEvents } from "../api/events";
import { type Reading, useResource } from "../api/resource";
import type { PatchDetail, PatchStep } from "../api/types";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayOnly, dayTime, fullTime } from "../i18n/time";
import { formatCoordinate } from "../map/coordinates";
import { formatMu, SQUARE_METRES_PER_MU } from "../map/units";
import type { Measuring } from "../map/useMeasure";
import { changeView } from "../state/location";
import { CompareButton } from "./CompareButton";
import { PatchEdit } from "./PatchEdit";
import { SeriesChart } from "./SeriesChart";
import "./patch.css";

/** One patch with its history; null asks for nothing. */
export function usePatch(id: string | null): Reading<PatchDetail> {
  const reading = useResource<PatchDetail>(id === null ? null : `/patches/${encodeURIComponent(id)}`);
  const again = useGently(reading.reload);
  useEvents(["patch.", "legality."], (event) => {
    if (event.kind.startsWith("legality.") || event.entity_id === id) again();
  });
  return reading;
}

/** What became of it, newest first; pointing at a step shows the outline it had then. */
function Steps({ steps, onOutline }: { steps: readonly PatchStep[]; onOutline: (step: PatchStep | null) => void }) {
  const { t, tongue } = useWords();
  const [open, setOpen] = useState<number | null>(null);
  return (
    <ol className="patch-steps" data-testid="patch-steps">
      {[...steps].reverse().map((step) => (
        <li key={step.id}>
          <button
            type="button"
            disabled={step.geometry === null}
            aria-pressed={open === step.id}
            onClick={() => {
              const next = open === step.id ? null : step;
              setOpen(next?.id ?? null);
              onOutline(next);
            }}
          >
            <time className="num muted" title={fullTime(step.at)}>
              {dayTime(step.at)}
            </time>
            <span>
              <strong>{t(`review.patch.step.${step.action}`)}</strong>{" "}
              {step.after_at && (
                <span className="muted num">{t("review.patch.picture", { day: dayOnly(step.after_at) })}</span>
              )}
              {step.related.length > 0 && (
                <span className="muted num"> {step.related.map((id) => `#${id}`).join(" ")}</span>
              )}
              {(step.by || step.reason) && (
                <small className="muted">{[step.by, step.reason].filter(Boolean).join("：")}</small>
              )}
            </span>
            <span className="num">{formatMu(step.area_m2, tongue)}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}

/** All that is known about one patch: vintages, area, the law, the index over time, its history, and what a reviewer may do to it. */
export function PatchView({
  detail,
  measuring,
  point,
  onOutline,
  onChanged,
}: {
  detail: PatchDetail;
  measuring: Measuring;
  /** Where the index over time is asked for: a click on the map, or a point inside the patch. */
  point: { lon: number; lat: number } | null;
  onOutline: (step: PatchStep | null) => void;
  onChanged: (id: number) => void;
}) {
  const { t, kind, tongue } = useWords();
  const { id, properties: patch } = detail.patch;
  return (
    <article className="evidence" data-testid="patch" data-version={patch.version}>
      <header>
        <h2>
          {kind(patch.kind)} <span className="muted num">#{id}</span>
          {patch.simulated && <SimulatedTag />}
          <span className="evidence-state">{t(`review.patch.state.${patch.state}`)}</span>
        </h2>
        <p>{detail.place}</p>
        <p className="muted num">{formatCoordinate(patch, "degrees")}</p>
        <dl className="evidence-facts">
          <div>
            <dt>{t("review.patch.area")}</dt>
            <dd className="num">
              {(patch.area_m2 / SQUARE_METRES_PER_MU).toFixed(2)} {tongue === "zh" ? "亩" : "mu"}
              <small className="muted num">
                {Math.round(patch.area_m2).toLocaleString("en-US")} {tongue === "zh" ? "平方米" : "m²"}
              </small>
            </dd>
          </div>
          <div>
            <dt>{t("review.patch.surveys")}</dt>
            <dd className="num">{patch.seen}</dd>
          </div>
          <div>
            <dt>{t("review.patch.found")}</dt>
            <dd className="num">{dayTime(patch.found_at)}</dd>
          </div>
        </dl>
      </header>
      <CompareButton of={patch}>{kind(patch.analysis)}</CompareButton>
      {(patch.case_id !== null || patch.alert_id !== null) && (
        <p className="patch-links">
          {patch.case_id !== null && (
            <button type="button" className="btn" onClick={() => changeView({ selection: `case:${patch.case_id}` })}>
              {t("review.patch.case")} #{patch.case_id}
            </button>
          )}
          {patch.alert_id !== null && (
            <button type="button" className="btn" onClick={() => changeView({ selection: `alert:${patch.alert_id}` })}>
              {t("review.case.origin.alert")} #{patch.alert_id}
            </button>
          )}
        </p>
      )}
      <section>
        <h3>{t("alerts.legality")}</h3>
        {detail.legality.length > 0 ? (
          <LegalityLines lines={detail.legality} />
        ) : (
          <p className="muted">{t("alerts.noLegality")}</p>
        )}
      </section>
      <section>
        <h3>{t("review.series.title")}</h3>
        <SeriesChart at={point ?? patch} before={patch.before_at} after={patch.after_at} />
      </section>
      {detail.may_judge && (
        <section>
          <h3>{t("review.patch.edit")}</h3>
          <PatchEdit key={id} detail={detail} measuring={measuring} onChanged={onChanged} />
        </section>
      )}
      <section>
        <h3>{t("review.patch.history")}</h3>
        <Steps steps={detail.steps} onOutline={onOutline} />
      </section>
      <section className="patch-links">
        <a className="btn" href={`/api/patches/${id}/report.pdf`} download data-testid="report">
          {t("review.patch.report")}
        </a>
        <a className="btn" href={`/api/patches/${id}/evidence.zip`} download data-testid="package">
          {t("review.patch.package")}
        </a>
      </section>
    </article>
  );
}
