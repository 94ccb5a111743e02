import { useGently } from "../alerts/useAlerts";
import { useEvents } from "../api/events";
import { useResource } from "../api/resource";
import type { CasePage, CaseSummary } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { flyTo } from "../map/instance";
import { formatAge } from "../map/units";
import { changeFilters, changeView, useView } from "../state/location";

/** Time to the deadline in words; late ones say so. */
export function Deadline({ item }: { item: Pick<CaseSummary, "remaining_s"> }) {
  const { t, tongue } = useWords();
  if (item.remaining_s === null || item.remaining_s === undefined)
    return <span className="muted">{t("review.case.noDue")}</span>;
  const late = item.remaining_s < 0;
  const age = formatAge(Math.abs(item.remaining_s), tongue);
  return (
    <span className={late ? "due-late num" : "num muted"}>
      {t(late ? "review.case.late" : "review.case.left", { age })}
    </span>
  );
}

/** Cases, latest deadline first as the server orders them. */
export function CaseQueue({ chosen }: { chosen: string | null }) {
  const { t, pick } = useWords();
  const { filters } = useView();
  const query: Record<string, string> = { limit: "200" };
  if (filters.overdue === "1") query.overdue = "true";
  if (filters.origin) query.origin = filters.origin;
  const reading = useResource<CasePage>("/cases", query, 60);
  useEvents(["case."], useGently(reading.reload));
  return (
    <>
      <div className="queue-filters">
        <select
          className="field-input"
          aria-label={t("review.case.category")}
          value={filters.origin ?? ""}
          onChange={(event) => changeFilters({ origin: event.target.value })}
        >
          <option value="">{t("i18n.all")}</option>
          {["alert", "report", "patch"].map((origin) => (
            <option key={origin} value={origin}>
              {t(`review.case.origin.${origin}`)}
            </option>
          ))}
        </select>
        <label className="queue-view">
          <input
            type="checkbox"
            checked={filters.overdue === "1"}
            onChange={(e) => changeFilters({ overdue: e.target.checked ? "1" : null })}
          />
          {t("review.overdue")}
        </label>
        <span className="muted num queue-count">{reading.resource.data?.total ?? ""}</span>
      </div>
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={8} height="3.75rem" />}
        isEmpty={(page) => page.items.length === 0}
        empty={<Empty title={t("review.emptyCases")} />}
      >
        {(page) => (
          <ul className="queue-list" data-testid="case-queue">
            {page.items.map((item) => (
              <li key={item.id} className="case-line" data-chosen={String(item.id) === chosen || undefined}>
                <button
                  type="button"
                  data-testid={`case-${item.id}`}
                  onClick={() => {
                    changeView({ selection: `case:${item.id}` });
                    flyTo(item.place);
                  }}
                >
                  <span className="alert-title">
                    <strong className="clip">{item.title}</strong>
                    {item.simulated && <SimulatedTag />}
                    <span className="case-state">{pick(item.state_name, item.state_name_en)}</span>
                  </span>
                  <span className="muted clip">{item.place.name}</span>
                  <span className="alert-facts">
                    <span className="muted clip">{pick(item.category_name, item.category_name_en)}</span>
                    <Deadline item={item} />
                  </span>
                </button>
              </li>
            ))}
          </ul>
        )}
      </Drawn>
    </>
  );
}
