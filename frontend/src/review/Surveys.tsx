import { useGently } from "../alerts/useAlerts";
import { post } from "../api/client";
import { useEvents } from "../api/events";
import { useResource } from "../api/resource";
import type { Survey } from "../api/types";
import { useWords } from "../i18n";
import { may, useMe } from "../state/session";

/** Analyses that run or wait, each with how far it is and a way to call it off; the last that failed says why. */
export function Surveys() {
  const { t, kind, side } = useWords();
  const me = useMe();
  const reading = useResource<Survey[]>("/surveys", { limit: "20" }, 30);
  useEvents(["survey."], useGently(reading.reload));
  const all = reading.resource.data ?? null;
  const busy = all?.filter((one) => one.state === "queued" || one.state === "running");
  const failed = all?.[0]?.state === "failed" ? all[0] : null;
  if (!busy || (busy.length === 0 && !failed)) return null;
  return (
    <ul className="surveys" data-testid="surveys">
      {busy.map((one) => (
        <li key={one.id}>
          <span className="clip">
            {kind(one.analysis)} <small className="muted">{t(`review.survey.${one.state}`)}</small>
          </span>
          <progress max={1} value={one.progress} aria-label={kind(one.analysis)} />
          <span className="num">{Math.round(one.progress * 100)}%</span>
          {may(me, "surveys") && (
            <button
              type="button"
              className="btn btn-quiet"
              data-testid={`cancel-survey-${one.id}`}
              onClick={() => void post(`/surveys/${one.id}/cancel`).then(reading.reload, reading.reload)}
            >
              {t("i18n.cancel")}
            </button>
          )}
        </li>
      ))}
      {failed && (
        <li className="survey-failed" role="status">
          <span>
            {kind(failed.analysis)} {t("review.survey.failed")}: {side(failed.error ?? "")}
          </span>
        </li>
      )}
    </ul>
  );
}
