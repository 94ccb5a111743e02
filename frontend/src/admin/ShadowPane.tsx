import { useResource } from "../api/resource";
import type { Rollout, ShadowPlace } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { Table } from "./Table";

const percent = (share: number | null) => (share === null ? "—" : `${Math.round(share * 100)}%`);
const part = (some: number, all: number) => (all ? `${some}/${all}` : "—");

/** Lights of one trial added up: figures of things and verdicts are sums, milliseconds means over frames. */
export function total(places: readonly ShadowPlace[]) {
  const sum = (of: (place: ShadowPlace) => number) => places.reduce((before, place) => before + of(place), 0);
  const [frames, agreed, alone] = [
    sum((p) => p.frames),
    sum((p) => p.agreed),
    sum((p) => p.standing_only + p.candidate_only),
  ];
  return {
    frames,
    agreement: agreed + alone > 0 ? (2 * agreed) / (2 * agreed + alone) : null,
    kept: part(
      sum((p) => p.true_kept),
      sum((p) => p.true_alerts),
    ),
    spared: part(
      sum((p) => p.false_spared),
      sum((p) => p.false_alerts),
    ),
    slower: frames
      ? sum((p) => p.candidate_ms * p.frames) /
        Math.max(
          sum((p) => p.standing_ms * p.frames),
          1e-9,
        )
      : null,
  };
}

/** A trial's shadow in a cell: frames, agreement, what verdicts on the old version say of the new one, its cost; opens the places. */
export function ShadowCell({ trial, open, toggle }: { trial: Rollout; open: boolean; toggle: () => void }) {
  const { t } = useWords();
  if (trial.shadow.length === 0) return <small className="muted">{t("admin.learning.shadow.none")}</small>;
  const all = total(trial.shadow);
  return (
    <span className="cell-name shadow-cell">
      <span>
        {t("admin.learning.shadow.frames", { frames: all.frames.toLocaleString(), share: percent(all.agreement) })}
      </span>
      <small className="muted">
        {t("admin.learning.shadow.verdicts", { kept: all.kept, spared: all.spared })}
        {all.slower !== null && ` · ${t("admin.learning.shadow.cost", { times: all.slower.toFixed(1) })}`}
      </small>
      <button type="button" className="btn" aria-expanded={open} onClick={toggle}>
        {t(open ? "admin.learning.shadow.close" : "admin.learning.shadow.open")}
      </button>
    </span>
  );
}

/** Where the two versions differ: per camera and light, most first. */
export function ShadowPlaces({ trial }: { trial: Rollout }) {
  const { t } = useWords();
  const places = useResource<ShadowPlace[]>(`/rollouts/${trial.id}/shadow`, {}, 60);
  return (
    <>
      <h3>{t("admin.learning.shadow.title", { versions: `${trial.standing} → ${trial.candidate}` })}</h3>
      <Drawn
        reading={places}
        skeleton={<Skeleton rows={3} height="2rem" />}
        isEmpty={(list) => list.length === 0}
        empty={<Empty title={t("admin.learning.shadow.none")} />}
      >
        {(list) => (
          <Table
            label={t("admin.learning.shadow.title", { versions: trial.candidate })}
            testId="shadow-table"
            rows={list}
            rowKey={(p) => `${p.camera_id} ${p.condition}`}
            columns={[
              { title: t("admin.learning.shadow.camera"), cell: (p) => <strong>{p.camera}</strong> },
              { title: t("admin.learning.shadow.light"), cell: (p) => t(`admin.learning.light.${p.condition}`) },
              { title: t("admin.learning.shadow.seen"), numeric: true, cell: (p) => p.frames.toLocaleString() },
              { title: t("admin.learning.shadow.agreement"), numeric: true, cell: (p) => percent(p.agreement) },
              { title: t("admin.learning.shadow.standingOnly"), numeric: true, cell: (p) => p.standing_only },
              { title: t("admin.learning.shadow.candidateOnly"), numeric: true, cell: (p) => p.candidate_only },
              { title: t("admin.learning.shadow.kept"), numeric: true, cell: (p) => part(p.true_kept, p.true_alerts) },
              {
                title: t("admin.learning.shadow.spared"),
                numeric: true,
                cell: (p) => part(p.false_spared, p.false_alerts),
              },
              {
                title: t("admin.learning.shadow.ms"),
                numeric: true,
                cell: (p) => `${Math.round(p.standing_ms)} → ${Math.round(p.candidate_ms)}`,
              },
            ]}
          />
        )}
      </Drawn>
    </>
  );
}
