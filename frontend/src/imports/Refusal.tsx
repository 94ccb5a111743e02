import type { ImportJob } from "../api/types";
import { useWords } from "../i18n";
import { FrameOptions } from "./FrameRow";
import { BadRows } from "./JobCard";

interface Candidate {
  crs: string;
  swapped: boolean;
  reason: string;
  reason_en: string;
}

function text(problem: Record<string, unknown>, member: string): string {
  const found = problem[member];
  return typeof found === "string" ? found : "";
}

function list<T>(problem: Record<string, unknown>, member: string): T[] {
  const found = problem[member];
  return Array.isArray(found) ? (found as T[]) : [];
}

/** Why a file was refused and what to do: each candidate frame is one click, no bytes are sent again. */
export function Refusal({
  job,
  busy,
  again,
}: {
  job: ImportJob;
  busy: boolean;
  again: (said: Record<string, string>) => void;
}) {
  const { t, pick, side } = useWords();
  const problem = (job.problem ?? {}) as Record<string, unknown>;
  const candidates = list<Candidate>(problem, "candidates");
  return (
    <div className="refusal" role="alert" data-testid="refusal">
      <strong>{side(text(problem, "title"))}</strong>
      <p>{side(text(problem, "detail"))}</p>
      <p className="muted">{side(text(problem, "remedy"))}</p>
      <BadRows job={job} rows={list(problem, "rows")} />
      {candidates.map((candidate) => (
        <button
          key={`${candidate.crs}${candidate.swapped}`}
          type="button"
          className="btn refusal-candidate"
          disabled={busy}
          data-testid={`again-${candidate.crs}`}
          onClick={() => again({ crs: candidate.crs, axes: candidate.swapped ? "yx" : "xy" })}
        >
          <strong>{candidate.swapped ? `${candidate.crs} · ${t("imports.yx")}` : candidate.crs}</strong>
          <small className="muted">{pick(candidate.reason, candidate.reason_en)}</small>
        </button>
      ))}
      <div className="import-actions">
        <select
          className="field-input"
          aria-label={t("imports.frame")}
          value=""
          disabled={busy}
          onChange={(event) => again({ crs: event.target.value })}
        >
          <FrameOptions none={t("imports.againAs")} />
        </select>
        <button type="button" className="btn" disabled={busy} onClick={() => again({})} data-testid="job-again">
          {t("imports.again")}
        </button>
      </div>
    </div>
  );
}
