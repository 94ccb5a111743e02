import { useGently } from "../alerts/useAlerts";
import { useEvents } from "../api/events";
import { useResource } from "../api/resource";
import type { Flip } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { dayTime, fullTime } from "../i18n/time";
import { flyTo } from "../map/instance";
import { changeView } from "../state/location";

/** Verdicts of the law that turned because a register was corrected: what it was, what it is, which version of which register did it. */
export function Flips({ chosen }: { chosen: string | null }) {
  const { t, pick } = useWords();
  const reading = useResource<Flip[]>("/legality/flips", { limit: "200" }, 60);
  useEvents(["legality."], useGently(reading.reload));
  return (
    <Drawn
      reading={reading}
      skeleton={<Skeleton rows={6} height="4rem" />}
      isEmpty={(all) => all.length === 0}
      empty={<Empty title={t("review.flip.none")} hint={t("review.flip.noneHint")} />}
    >
      {(all) => (
        <ul className="queue-list" data-testid="flips">
          {all.map((flip) => (
            <li
              key={`${flip.alert_id}${flip.rule_id}`}
              className="case-line"
              data-chosen={String(flip.alert_id) === chosen || undefined}
            >
              <button
                type="button"
                onClick={() => {
                  changeView({ selection: `alert:${flip.alert_id}` });
                  flyTo(flip);
                }}
              >
                <span className="alert-title">
                  <strong className="clip">{pick(flip.rule, flip.rule_en)}</strong>
                  <span className="flip-turn">
                    <s>{t(`alerts.legal.${flip.flipped_from}`)}</s> →{" "}
                    <b className={`flip-${flip.verdict}`}>{t(`alerts.legal.${flip.verdict}`)}</b>
                  </span>
                </span>
                <span className="clip">
                  {pick(flip.title, flip.title_en)} <span className="muted">{flip.place}</span>
                </span>
                <span className="alert-facts muted">
                  <span className="clip">
                    {t("review.flip.by", {
                      register: pick(flip.register_name, flip.register_name_en),
                      n: flip.version ?? "—",
                    })}
                  </span>
                  <time className="num" title={fullTime(flip.judged_at)}>
                    {dayTime(flip.judged_at)}
                  </time>
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </Drawn>
  );
}
