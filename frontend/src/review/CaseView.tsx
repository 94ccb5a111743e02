import { PhotoProof } from "../alerts/PhotoProof";
import { useGently } from "../alerts/useAlerts";
import { useEvents } from "../api/events";
import { type Reading, useResource } from "../api/resource";
import type { CaseDetail } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { Picture } from "../components/Picture";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayTime, fullTime } from "../i18n/time";
import { formatCoordinate } from "../map/coordinates";
import { changeView } from "../state/location";
import { CaseActions } from "./CaseActions";
import { Deadline } from "./CaseQueue";
import "./case.css";

const PATH = ["reported", "filed", "dispatched", "received", "handling", "handled", "closed"] as const;
const SIDE: Record<string, (typeof PATH)[number]> = {
  returned: "filed",
  suspended: "handling",
  forced_closed: "closed",
  cancelled: "closed",
  rejected: "filed",
};

/** Where a case stands among the seven steps; side states hang on the step they interrupt. */
export function LifeCycle({ state, name }: { state: string; name: string }) {
  const { t } = useWords();
  const on = PATH.find((step) => step === state) ?? SIDE[state] ?? "reported";
  const at = PATH.indexOf(on);
  return (
    <ol className="life-cycle" data-testid="life-cycle" data-state={state}>
      {PATH.map((step, i) => (
        <li
          key={step}
          data-done={i < at || (state === "closed" && i === at) || undefined}
          aria-current={i === at ? "step" : undefined}
        >
          {i === at && on !== state ? name : t(`review.case.path.${step}`)}
        </li>
      ))}
    </ol>
  );
}

export function useCase(id: string | null): Reading<CaseDetail> {
  const reading = useResource<CaseDetail>(id === null ? null : `/cases/${encodeURIComponent(id)}`);
  const again = useGently(reading.reload);
  useEvents(["case."], (event) => {
    if (event.entity_id === id) again();
  });
  return reading;
}

/** A case: life-cycle, facts, photos, what happened, and only the steps this person may take now. */
export function CaseView({
  reading,
  onStand,
}: {
  reading: Reading<CaseDetail>;
  onStand?: (stand: { lon: number; lat: number; azimuth_deg: number }) => void;
}) {
  const { t, pick } = useWords();
  return (
    <Drawn reading={reading} skeleton={<Skeleton rows={8} height="3rem" />}>
      {(item) => (
        <>
          <article className="evidence case" data-testid="case-view">
            <header>
              <h2>
                {item.title}
                {item.simulated && <SimulatedTag />}
                {item.urgent && <span className="case-flag">{t("review.case.urgent")}</span>}
                {item.supervised && <span className="case-flag">{t("review.case.supervised")}</span>}
              </h2>
              <LifeCycle state={item.state} name={pick(item.state_name, item.state_name_en)} />
            </header>
            <dl className="case-facts">
              {(
                [
                  [
                    t("review.case.number"),
                    <span key="n" className="num">
                      {item.number}
                    </span>,
                  ],
                  [t("review.case.category"), pick(item.category_name, item.category_name_en)],
                  [t("review.case.due"), <Deadline key="d" item={item} />],
                  [t("review.place"), item.place.name],
                  [
                    "",
                    <span key="c" className="num muted">
                      {formatCoordinate(item.place, "degrees")}
                    </span>,
                  ],
                  [t("review.case.reporter"), item.reporter ?? "—"],
                  [t("review.case.handler"), item.handler ?? t("review.case.none")],
                  [t("review.case.verifier"), item.verifier ?? t("review.case.none")],
                ] as const
              ).map(([label, value], i) => (
                <div key={i}>
                  <dt>{label}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
            {item.description && <p>{item.description}</p>}
            {item.alert_id !== null && (
              <button type="button" className="btn" onClick={() => changeView({ selection: `alert:${item.alert_id}` })}>
                {t("review.case.origin.alert")} #{item.alert_id}
              </button>
            )}
            {item.evidence.length > 0 && (
              <section>
                <h3>{t("review.case.photos")}</h3>
                <div className="case-photos">
                  {item.evidence.map((sha) => (
                    <Picture key={sha} sha={sha} alt={t("review.case.photos")} />
                  ))}
                </div>
                {item.origin === "patch" &&
                  item.alert_id !== null &&
                  item.evidence.map((sha) => (
                    <PhotoProof key={sha} alertId={item.alert_id as number} sha={sha} onStand={onStand} />
                  ))}
              </section>
            )}
            <section>
              <h3>{t("review.case.steps")}</h3>
              <ol className="case-steps">
                {item.steps.map((step, i) => (
                  <li key={i}>
                    <time className="num muted" title={fullTime(step.at)}>
                      {dayTime(step.at)}
                    </time>
                    <span>
                      <strong>{pick(step.action_name, step.action_name_en)}</strong>{" "}
                      <span className="muted">{step.by ?? ""}</span>
                      {step.note && <small className="muted">{step.note}</small>}
                    </span>
                  </li>
                ))}
              </ol>
            </section>
          </article>
          <CaseActions item={item} reading={reading} />
        </>
      )}
    </Drawn>
  );
}
