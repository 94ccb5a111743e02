import { AlertLine } from "../alerts/AlertLine";
import type { Reading } from "../api/resource";
import type { AlertPage, AlertSummary } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { changeFilters, useView } from "../state/location";
import { useKinds } from "./useKinds";

const STATES = ["open", "acknowledged", "confirmed", "dismissed", "closed"] as const;
const ORDERS = ["oldest", "newest", "likely"] as const;

/** What the queue asks the server for, read from the URL. */
export function queueQuery(filters: Record<string, string>): Record<string, string> {
  const query: Record<string, string> = { order: filters.order ?? "oldest", limit: "200" };
  const state = filters.state ?? "open";
  if (state !== "all") query.state = state;
  if (filters.kind) query.kind = filters.kind;
  if (filters.severity) query.severity = filters.severity;
  if (filters.bbox) query.bbox = filters.bbox;
  return query;
}

function Choose({
  name,
  value,
  options,
  label,
}: {
  name: string;
  value: string;
  options: readonly (readonly [string, string])[];
  label: string;
}) {
  return (
    <select
      className="field-input"
      aria-label={label}
      title={label}
      value={value}
      data-testid={`filter-${name}`}
      onChange={(event) => changeFilters({ [name]: event.target.value })}
    >
      {options.map(([key, text]) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  );
}

/** Filters on top, then alerts in the order asked for. */
export function Queue({
  reading,
  visible,
  chosen,
  onChoose,
  onHover,
}: {
  reading: Reading<AlertPage>;
  visible: readonly AlertSummary[];
  chosen: string | null;
  onChoose: (alert: AlertSummary) => void;
  onHover: (alert: AlertSummary | null) => void;
}) {
  const { t, kind } = useWords();
  const { filters } = useView();
  const kinds = useKinds("/rules", filters.kind);
  return (
    <>
      <div className="queue-filters">
        <Choose
          name="state"
          label={t("review.state")}
          value={filters.state ?? "open"}
          options={[...STATES.map((s) => [s, t(`i18n.state.${s}`)] as const), ["all", t("i18n.all")]]}
        />
        <Choose
          name="severity"
          label={t("review.severity")}
          value={filters.severity ?? ""}
          options={[
            ["", `${t("review.severity")} · ${t("i18n.all")}`],
            ...["1", "2", "3", "4"].map((s) => [s, t(`i18n.severity.${s}`)] as const),
          ]}
        />
        <Choose
          name="kind"
          label={t("review.kind")}
          value={filters.kind ?? ""}
          options={[["", `${t("review.kind")} · ${t("i18n.all")}`], ...kinds.map((k) => [k, kind(k)] as const)]}
        />
        <Choose
          name="order"
          label={t("review.order")}
          value={filters.order ?? "oldest"}
          options={ORDERS.map((o) => [o, t(`review.${o}`)] as const)}
        />
        <label className="queue-view">
          <input
            type="checkbox"
            checked={filters.inview === "1"}
            data-testid="filter-inview"
            onChange={(event) => changeFilters({ inview: event.target.checked ? "1" : null })}
          />
          {t("review.inView")}
        </label>
        <span className="muted num queue-count" data-testid="queue-count">
          {visible.length}
          {reading.resource.data && reading.resource.data.total > visible.length
            ? ` / ${reading.resource.data.total}`
            : ""}
        </span>
      </div>
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={8} height="3.75rem" />}
        isEmpty={() => visible.length === 0}
        empty={<Empty title={t("review.emptyQueue")} hint={t("review.emptyQueueHint")} />}
      >
        {() => (
          <ul className="queue-list" data-testid="queue">
            {visible.map((alert) => (
              <AlertLine
                key={alert.id}
                alert={alert}
                chosen={String(alert.id) === chosen}
                onChoose={onChoose}
                onHover={onHover}
              />
            ))}
          </ul>
        )}
      </Drawn>
    </>
  );
}
