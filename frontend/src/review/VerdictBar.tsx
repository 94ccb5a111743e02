import { useWords } from "../i18n";
import { useNow } from "../state/now";
import type { Judging, Verdict } from "./useVerdict";

export const REASONS = [
  "cloud",
  "steam",
  "light",
  "work",
  "permitted",
  "seasonal",
  "place",
  "repeated",
  "other",
] as const;

/** The verdict buttons, always at the same spot; after 误报 the reasons take their place. */
export function VerdictBar({
  may,
  verdicts = ["true", "false", "unsure"],
  judging,
  asking,
  setAsking,
  decide,
  step,
  undo,
}: {
  may: boolean;
  verdicts?: readonly Verdict[];
  judging: Judging;
  asking: boolean;
  setAsking: (asking: boolean) => void;
  decide: (verdict: Verdict, reason?: string) => void;
  step: (by: 1 | -1) => void;
  undo: () => void;
}) {
  const { t, side } = useWords();
  const now = useNow();
  const { last } = judging;
  const label: Record<Verdict, string> = {
    true: t("review.yes"),
    false: t("review.no"),
    unsure: t("review.unsure"),
    other: t("review.other"),
  };
  return (
    <footer className="verdict-bar" data-testid="verdict-bar">
      {last && (
        <p className="verdict-undo" role="status" data-testid="undo-bar">
          {t("review.done", { verdict: label[last.verdict], n: Math.max(0, Math.ceil((last.until - now) / 1000)) })}
          <button type="button" className="btn" onClick={undo} data-testid="undo">
            {t("i18n.undo")} <kbd>U</kbd>
          </button>
        </p>
      )}
      {judging.problem && (
        <p className="verdict-problem" role="alert">
          {side(judging.problem.detail)} {side(judging.problem.remedy ?? "")}
        </p>
      )}
      {asking ? (
        <div className="verdict-reasons" role="group" aria-label={t("review.whyNo")} data-testid="reasons">
          <span className="muted">{t("review.whyNo")}</span>
          {REASONS.map((reason, i) => (
            <button
              key={reason}
              type="button"
              className="btn"
              data-testid={`reason-${reason}`}
              onClick={() => decide("false", reason)}
            >
              <kbd>{i + 1}</kbd> {t(`review.reasons.${reason}`)}
            </button>
          ))}
          <button type="button" className="btn btn-quiet" onClick={() => setAsking(false)}>
            {t("i18n.cancel")}
          </button>
        </div>
      ) : (
        <div className="verdict-buttons">
          <button
            type="button"
            className="btn btn-primary"
            disabled={!may || judging.busy}
            data-testid="verdict-true"
            onClick={() => decide("true")}
          >
            {t("review.yes")} <kbd>A</kbd>
          </button>
          <button
            type="button"
            className="btn"
            disabled={!may || judging.busy}
            data-testid="verdict-false"
            onClick={() => setAsking(true)}
          >
            {t("review.no")} <kbd>X</kbd>
          </button>
          {verdicts.includes("unsure") && (
            <button
              type="button"
              className="btn"
              disabled={!may || judging.busy}
              data-testid="verdict-unsure"
              onClick={() => decide("unsure")}
            >
              {t("review.unsure")} <kbd>S</kbd>
            </button>
          )}
          <span className="verdict-steps">
            <button type="button" className="btn btn-quiet" aria-label={t("review.previous")} onClick={() => step(-1)}>
              ↑ <kbd>K</kbd>
            </button>
            <button
              type="button"
              className="btn btn-quiet"
              aria-label={t("review.next")}
              onClick={() => step(1)}
              data-testid="next"
            >
              ↓ <kbd>J</kbd>
            </button>
          </span>
        </div>
      )}
    </footer>
  );
}
