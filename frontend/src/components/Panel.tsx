import type { ReactNode } from "react";
import type { Problem } from "../api/problem";
import type { Reading } from "../api/resource";
import { useWords } from "../i18n";
import { clockTime } from "../i18n/time";
import "./panel.css";

/** A floating or docked surface with a quiet heading. */
export function Panel({
  title,
  aside,
  children,
  className = "",
  testId,
}: {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
  testId?: string;
}) {
  return (
    <section className={`panel ${className}`} data-testid={testId}>
      {title !== undefined && (
        <header className="panel-head">
          <h2>{title}</h2>
          {aside}
        </header>
      )}
      {children}
    </section>
  );
}

/** Grey bars in the shape of what will come. */
export function Skeleton({ rows = 3, height = "2.75rem" }: { rows?: number; height?: string }) {
  return (
    <div className="skeleton" aria-busy="true" data-testid="state-loading">
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} style={{ height }} />
      ))}
    </div>
  );
}

/** Why nothing is here, and what to do. */
export function Empty({ title, hint }: { title: string; hint?: string }) {
  return (
    <div className="panel-state" data-testid="state-empty">
      <strong>{title}</strong>
      {hint && <span>{hint}</span>}
    </div>
  );
}

/** What failed, the server's own remedy, and a way to try again. */
export function Failed({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const { t, side } = useWords();
  return (
    <div className="panel-state panel-failed" role="alert" data-testid="state-failed">
      <strong>{problem.status === 0 ? t("i18n.offline") : t("i18n.failed")}</strong>
      <span>{problem.status === 0 ? (problem.title === "network" ? "" : problem.title) : side(problem.detail)}</span>
      {problem.remedy && <span>{side(problem.remedy ?? "")}</span>}
      {retry && (
        <button type="button" className="btn" onClick={retry}>
          {t("i18n.retry")}
        </button>
      )}
    </div>
  );
}

/** Draws one of the four states of a reading; `children` draws the data, which stays on screen while stale. */
export function Drawn<T>({
  reading,
  skeleton,
  empty,
  isEmpty,
  children,
}: {
  reading: Reading<T>;
  skeleton?: ReactNode;
  empty?: ReactNode;
  isEmpty?: (data: T) => boolean;
  children: (data: T) => ReactNode;
}) {
  const { t } = useWords();
  const { resource, reload } = reading;
  if (resource.state === "loading") return skeleton ?? <Skeleton />;
  if (resource.state === "failed") return <Failed problem={resource.problem} retry={reload} />;
  return (
    <>
      {resource.state === "stale" && (
        <p className="panel-stale" role="status" data-testid="state-stale">
          {t("i18n.staleSince", { time: clockTime(resource.at, true) })}
          <button type="button" className="btn btn-quiet" onClick={reload}>
            {t("i18n.retry")}
          </button>
        </p>
      )}
      {isEmpty?.(resource.data) ? empty : children(resource.data)}
    </>
  );
}
