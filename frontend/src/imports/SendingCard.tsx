import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";
import { bytes } from "./figures";
import type { Sending } from "./sending";
import { sendings } from "./uploads";

const PAUSABLE = new Set(["queued", "hashing", "sending", "offline"]);

/** One upload: how much of it is there, and what one can do about it. */
export function SendingCard({ sending }: { sending: Sending }) {
  const { t } = useWords();
  const { key, stage, problem } = sending;
  return (
    <article className="import-card" data-testid="sending" data-stage={stage}>
      <header>
        <strong>{sending.name}</strong>
        <span className={stage === "failed" ? "state-bad" : "muted"}>{t(`imports.stages.${stage}`)}</span>
      </header>
      <progress max={sending.size} value={sending.done} aria-label={t("imports.progress")} />
      <p className="muted num">
        {bytes(sending.done)} / {bytes(sending.size)}
      </p>
      {stage === "asleep" && <p>{t("imports.asleepHint", { name: sending.name })}</p>}
      {stage === "offline" && <p>{t("imports.offlineHint")}</p>}
      {stage === "failed" && <ProblemLine problem={problem} />}
      <div className="import-actions">
        {PAUSABLE.has(stage) && (
          <button type="button" className="btn" onClick={() => sendings.pause(key)} data-testid="sending-pause">
            {t("imports.pause")}
          </button>
        )}
        {(stage === "paused" || stage === "failed" || stage === "offline") && (
          <button
            type="button"
            className="btn btn-primary"
            onClick={() => sendings.resume(key)}
            data-testid="sending-resume"
          >
            {stage === "failed" ? t("imports.retry") : t("imports.resume")}
          </button>
        )}
        {stage === "asleep" && (
          <label className="btn btn-primary">
            {t("imports.chooseAgain")}
            <input
              type="file"
              className="sr-only"
              data-testid="sending-choose"
              onChange={(event) => {
                const file = event.target.files?.[0];
                if (file) sendings.add(file, sending.declared);
              }}
            />
          </label>
        )}
        {stage !== "handing" && (
          <button
            type="button"
            className="btn btn-quiet"
            onClick={() => sendings.cancel(key)}
            data-testid="sending-cancel"
          >
            {t("imports.cancel")}
          </button>
        )}
      </div>
    </article>
  );
}
