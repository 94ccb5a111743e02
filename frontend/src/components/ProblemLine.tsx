import type { Problem } from "../api/problem";
import { useWords } from "../i18n";

/** What went wrong and what to do about it, read out at once; nothing while nothing did. */
export function ProblemLine({ problem, testId }: { problem: Problem | null; testId?: string }) {
  const { side } = useWords();
  if (!problem) return null;
  return (
    <p role="alert" className="card-problem" data-testid={testId}>
      {side(problem.detail)} {side(problem.remedy ?? "")}
    </p>
  );
}
