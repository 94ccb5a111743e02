import { useMemo, useState } from "react";
import { useGently } from "../alerts/useAlerts";
import { post } from "../api/client";
import { useEvents } from "../api/events";
import { Problem } from "../api/problem";
import { type Reading, useResource } from "../api/resource";
import type { PatchCycle, PatchFeature, PatchPage } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayOnly } from "../i18n/time";
import { formatMu } from "../map/units";
import { changeFilters, changeView, useView } from "../state/location";
import { Surveys } from "./Surveys";
import { useKinds } from "./useKinds";
import "./patch.css";

const STATES = ["open", "confirmed", "dismissed"] as const;

/** The patches asked for in the URL, read again when one changes. */
export function usePatches(): { reading: Reading<PatchPage>; cycles: Reading<PatchCycle[]>; shown: PatchFeature[] } {
  const { filters } = useView();
  const query: Record<string, string> = { limit: "500" };
  const state = filters.pstate ?? "open";
  if (filters.cycle === undefined && state !== "all") query.state = state;
  if (filters.pkind) query.kind = filters.pkind;
  const asked = filters.tab === "patches";
  const reading = useResource<PatchPage>(asked ? "/patches" : null, query, 60);
  const cycles = useResource<PatchCycle[]>(asked ? "/patches/cycles" : null, {}, 60);
  const again = useGently(() => {
    reading.reload();
    cycles.reload();
  });
  useEvents(["patch.", "survey."], again);
  const due = cycles.resource.data?.find((each) => each.cycle === filters.cycle)?.ids;
  const shown = useMemo(() => {
    const all = reading.resource.data?.features ?? [];
    if (!due) return all;
    const wanted = new Set(due);
    return all.filter((patch) => wanted.has(patch.id));
  }, [reading.resource.data, due]);
  return { reading, cycles, shown };
}

/** 月清、季核、年度评估: how many are due, and how many of them late; a click lists them. */
function Cycles({ cycles }: { cycles: readonly PatchCycle[] }) {
  const { t } = useWords();
  const { filters } = useView();
  return (
    <div className="cycles" role="group" aria-label={t("review.patch.cycles")} data-testid="cycles">
      {cycles.map((each) => (
        <button
          key={each.cycle}
          type="button"
          aria-pressed={filters.cycle === each.cycle}
          data-testid={`cycle-${each.cycle}`}
          title={t(`review.patch.cycleHint.${each.cycle}`)}
          onClick={() => changeFilters({ cycle: filters.cycle === each.cycle ? null : each.cycle })}
        >
          <span>{t(`review.patch.cycle.${each.cycle}`)}</span>
          <strong className="num">{each.due}</strong>
          <small className={each.overdue > 0 ? "due-late num" : "muted num"}>
            {each.overdue > 0
              ? t("review.patch.overdue", { n: each.overdue })
              : t("review.patch.answered", { n: each.answered, all: each.found })}
          </small>
        </button>
      ))}
    </div>
  );
}

/** Patches with their area and vintages; ticked ones are joined. */
export function PatchQueue({
  patches,
  chosen,
  onChoose,
}: {
  patches: ReturnType<typeof usePatches>;
  chosen: string | null;
  onChoose: (patch: PatchFeature) => void;
}) {
  const { t, kind, tongue, side } = useWords();
  const { filters } = useView();
  const [ticked, setTicked] = useState<ReadonlySet<number>>(new Set());
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const { reading, cycles, shown } = patches;
  const kinds = useKinds("/analyses", filters.pkind);

  // Only patches of one kind become one.
  const joinable = shown.find(({ id }) => ticked.has(id))?.properties.kind;
  const tick = (id: number) =>
    setTicked((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  const join = async () => {
    setProblem(null);
    try {
      const made = await post<PatchFeature>("/patches/merge", { ids: [...ticked], reason });
      setTicked(new Set());
      setReason("");
      reading.reload();
      changeView({ selection: `patch:${made.id}` });
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    }
  };

  return (
    <>
      {cycles.resource.data && <Cycles cycles={cycles.resource.data} />}
      <div className="queue-filters">
        <select
          className="field-input"
          aria-label={t("review.state")}
          value={filters.pstate ?? "open"}
          disabled={filters.cycle !== undefined}
          data-testid="filter-patch-state"
          onChange={(event) => changeFilters({ pstate: event.target.value })}
        >
          {STATES.map((each) => (
            <option key={each} value={each}>
              {t(`review.patch.state.${each}`)}
            </option>
          ))}
          <option value="all">{t("i18n.all")}</option>
        </select>
        <select
          className="field-input"
          aria-label={t("review.kind")}
          value={filters.pkind ?? ""}
          onChange={(event) => changeFilters({ pkind: event.target.value })}
        >
          <option value="">{`${t("review.kind")} · ${t("i18n.all")}`}</option>
          {kinds.map((each) => (
            <option key={each} value={each}>
              {kind(each)}
            </option>
          ))}
        </select>
      </div>
      <Surveys />
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={8} height="3.25rem" />}
        isEmpty={() => shown.length === 0}
        empty={<Empty title={t("review.patch.none")} hint={t("review.patch.noneHint")} />}
      >
        {() => (
          <ul className="queue-list" data-testid="patch-queue">
            {shown.map(({ id, properties: patch }) => (
              <li key={id} className="patch-line" data-chosen={String(id) === chosen || undefined}>
                <input
                  type="checkbox"
                  aria-label={t("review.patch.tick", { id })}
                  checked={ticked.has(id)}
                  disabled={patch.state !== "open" || (joinable !== undefined && patch.kind !== joinable)}
                  onChange={() => tick(id)}
                />
                <button
                  type="button"
                  data-testid={`patch-${id}`}
                  aria-current={String(id) === chosen ? "true" : undefined}
                  onClick={() => onChoose({ id, properties: patch } as PatchFeature)}
                >
                  <span className="alert-title">
                    <strong>{kind(patch.kind)}</strong>
                    <span className="muted num">#{id}</span>
                    {patch.simulated && <SimulatedTag />}
                    <span className="num patch-area">{formatMu(patch.area_m2, tongue)}</span>
                  </span>
                  <span className="alert-facts muted num">
                    <span>
                      {dayOnly(patch.before_at)} → {dayOnly(patch.after_at)}
                    </span>
                    {patch.seen > 1 && <span>{t("review.patch.seen", { n: patch.seen })}</span>}
                    {patch.state !== "open" && <span>{t(`review.patch.state.${patch.state}`)}</span>}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        )}
      </Drawn>
      {ticked.size > 1 && (
        <form
          className="patch-join"
          data-testid="join-bar"
          onSubmit={(event) => {
            event.preventDefault();
            void join();
          }}
        >
          <input
            className="field-input"
            placeholder={t("review.patch.reason")}
            aria-label={t("review.patch.reason")}
            maxLength={500}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
          <button type="submit" className="btn btn-primary" disabled={reason.trim() === ""} data-testid="join">
            {t("review.patch.join", { n: ticked.size })}
          </button>
          {problem && (
            <p className="verdict-problem" role="alert">
              {side(problem.detail)} {side(problem.remedy ?? "")}
            </p>
          )}
        </form>
      )}
    </>
  );
}
