import { useState } from "react";
import { intention, post, url } from "../api/client";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { ImportJob, Quarantine } from "../api/types";
import { Drawn } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { go } from "../state/location";
import { ChangesSeen } from "./ChangesSeen";
import { bytes, count } from "./figures";
import { Refusal } from "./Refusal";
import { Verdict } from "./Verdict";

const OPEN = new Set(["waiting", "reading", "staged", "storing"]);

/** One import: its progress, what it would change, what became of it. Every state has a way on. */
export function JobCard({
  job,
  first,
  verdict,
  onChanged,
}: {
  job: ImportJob;
  first: boolean;
  /** What was decided about it, where the coordinate firewall held it back. */
  verdict: Quarantine["state"];
  onChanged: () => void;
}) {
  const { t } = useWords();
  const [opened, setOpened] = useState<boolean | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const held = typeof job.problem?.quarantine === "number" ? job.problem.quarantine : null;
  const open = opened ?? (OPEN.has(job.state) || first);
  const state = held !== null ? verdict : job.state;

  const act = async (path: string, body: FormData = new FormData()) => {
    setBusy(true);
    setProblem(null);
    try {
      await post<ImportJob>(`/imports/${job.id}/${path}`, body, intention());
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    } finally {
      setBusy(false);
      onChanged();
    }
  };
  const again = (said: Record<string, string>) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(said)) form.set(name, value);
    void act("again", form);
  };
  const cancel = (
    <button
      type="button"
      className="btn btn-quiet"
      disabled={busy}
      onClick={() => void act("cancel")}
      data-testid="job-cancel"
    >
      {t("imports.cancel")}
    </button>
  );

  return (
    <article className="import-card" data-testid="import-job" data-state={state}>
      <header>
        <button type="button" className="import-card-name" aria-expanded={open} onClick={() => setOpened(!open)}>
          <strong>{job.title}</strong>
          <small className="muted">
            {job.source_name} · {bytes(job.source_bytes)} · {t(`imports.modes.${job.mode}`)} · {dayTime(job.created_at)}
          </small>
        </button>
        <span className={`import-state import-state-${state}`}>{t(`imports.jobStates.${state}`)}</span>
      </header>
      {open && (
        <>
          {(job.state === "waiting" || job.state === "reading") && (
            <>
              <progress
                max={1}
                value={job.state === "reading" ? job.done : undefined}
                aria-label={t("imports.progress")}
              />
              <p className="muted num">{t("imports.readRows", { n: count(job.rows) })}</p>
              <div className="import-actions">{cancel}</div>
            </>
          )}
          {job.state === "storing" && <progress aria-label={t("imports.progress")} />}
          {job.state === "staged" && job.changes && (
            <>
              <ChangesSeen changes={job.changes} crs={job.crs} />
              <BadRows job={job} />
              <div className="import-actions">
                <button
                  type="button"
                  className="btn btn-primary"
                  disabled={busy}
                  onClick={() => void act("commit")}
                  data-testid="job-commit"
                >
                  {job.changes.removed > 0
                    ? t("imports.commitRemoving", { n: count(job.changes.removed) })
                    : t("imports.commit")}
                </button>
                {cancel}
              </div>
            </>
          )}
          {job.state === "done" && held === null && (
            <>
              <p>
                {t("imports.stored", { n: count(job.rows) })}
                {job.crs && <span className="muted"> {job.crs}</span>}
              </p>
              <BadRows job={job} />
              <div className="import-actions">
                <button
                  type="button"
                  className="btn"
                  onClick={() => go(`/review?panel=layers&l=dataset_${job.dataset_id}`)}
                  data-testid="job-show"
                >
                  {t("imports.show")}
                </button>
              </div>
            </>
          )}
          {held !== null && <Held id={held} onDecided={onChanged} />}
          {job.state === "failed" && <Refusal job={job} busy={busy} again={again} />}
          {job.state === "cancelled" && (
            <div className="import-actions">
              <span className="muted">{t("imports.cancelledHint")}</span>
              <button type="button" className="btn" disabled={busy} onClick={() => again({})}>
                {t("imports.again")}
              </button>
            </div>
          )}
          <ProblemLine problem={problem} />
        </>
      )}
    </article>
  );
}

/** How many rows were left out, the first of them, and all that were named as a file. */
export function BadRows({ job, rows = job.rejected }: { job: ImportJob; rows?: { row: number; reason: string }[] }) {
  const { t, side } = useWords();
  const total = job.rejected_count ?? rows.length;
  if (rows.length === 0) return null;
  return (
    <details className="bad-rows" data-testid="bad-rows">
      <summary>{t("imports.bad", { n: count(total) })}</summary>
      <ul>
        {rows.slice(0, 20).map((each) => (
          <li key={each.row}>
            <span className="num">{t("imports.row", { row: each.row })}</span> {side(each.reason)}
          </li>
        ))}
      </ul>
      <a className="btn" href={url(`/imports/${job.id}/rejected`)} download data-testid="bad-rows-download">
        {t("imports.download")}
      </a>
    </details>
  );
}

function Held({ id, onDecided }: { id: number; onDecided: () => void }) {
  const { t } = useWords();
  const held = useResource<Quarantine>(`/quarantine/${id}`);
  return (
    <Drawn reading={held}>
      {(found) => (
        <>
          <Verdict
            held={found}
            onDecided={() => {
              held.reload();
              onDecided();
            }}
          />
          {(found.state === "fixed" || found.state === "overridden") && (
            <div className="import-actions">
              <button
                type="button"
                className="btn btn-primary"
                onClick={() => go(`/review?panel=layers&l=${found.layer}`)}
              >
                {t("imports.show")}
              </button>
            </div>
          )}
        </>
      )}
    </Drawn>
  );
}
