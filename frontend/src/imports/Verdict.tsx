import type { FeatureCollection } from "geojson";
import { useState } from "react";
import { intention, post } from "../api/client";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { Quarantine, ShiftVectors } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";
import { ShiftMap } from "./ShiftMap";
import "./imports.css";

const REASON_MIN = 4;

function metres(value: number | null): string {
  if (value === null) return "—";
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
}

/** What the coordinate firewall says of a held file, with its shift vectors, and the three things a person may decide. */
export function Verdict({ held, onDecided }: { held: Quarantine; onDecided: (decided: Quarantine) => void }) {
  const { t, pick } = useWords();
  const vectors = useResource<ShiftVectors>(`/quarantine/${held.id}/vectors`);
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  const decide = async (decision: "fix" | "override" | "discard") => {
    setBusy(true);
    setProblem(null);
    try {
      onDecided(await post<Quarantine>(`/quarantine/${held.id}/decision`, { decision, reason }, intention()));
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    } finally {
      setBusy(false);
    }
  };

  return (
    <div className="verdict" data-testid="verdict">
      <p className="verdict-state">
        <strong>{held.state === "held" ? t("imports.held") : t(`imports.states.${held.state}`)}</strong>
        <span className="muted">
          {t("imports.heldHint", {
            bad: held.suspicious_rows.toLocaleString("en-US"),
            all: held.row_count.toLocaleString("en-US"),
          })}
        </span>
      </p>
      <ul className="verdict-findings">
        {held.findings.map((finding) => (
          <li key={finding.reading}>
            <p>{pick(finding.text, finding.text_en)}</p>
            <p className="muted">
              <code>
                {held.declared_crs} → {finding.reading}
              </code>
              {finding.reference && finding.gain !== null && (
                <small>
                  {t("imports.figures", {
                    what: t(`imports.what.${finding.reference}`),
                    before: metres(finding.declared_m),
                    after: metres(finding.proposed_m),
                    gain: Math.round(finding.gain),
                    decoy: Math.round(finding.decoy_gain ?? 0),
                  })}
                </small>
              )}
            </p>
          </li>
        ))}
      </ul>
      <Drawn reading={vectors} skeleton={<Skeleton rows={1} height="18rem" />}>
        {(found) => (
          <figure className="verdict-map">
            <ShiftMap vectors={found as unknown as FeatureCollection} bbox={held.bbox} />
            <figcaption className="muted">{t("imports.vectors", { n: found.features.length })}</figcaption>
          </figure>
        )}
      </Drawn>
      {held.state === "held" ? (
        <>
          <label className="verdict-reason">
            {t("imports.reason")}
            <input
              className="field-input"
              maxLength={500}
              value={reason}
              onChange={(event) => setReason(event.target.value)}
              data-testid="verdict-reason"
            />
          </label>
          <ProblemLine problem={problem} />
          <div className="verdict-actions">
            <button
              type="button"
              className="btn btn-primary"
              disabled={busy}
              onClick={() => void decide("fix")}
              data-testid="verdict-fix"
            >
              {busy ? t("imports.sending") : t("imports.fix")}
            </button>
            <button
              type="button"
              className="btn"
              disabled={busy || reason.trim().length < REASON_MIN}
              onClick={() => void decide("override")}
              data-testid="verdict-override"
            >
              {t("imports.override")}
            </button>
            <button type="button" className="btn btn-quiet" disabled={busy} onClick={() => void decide("discard")}>
              {t("imports.discard")}
            </button>
          </div>
        </>
      ) : (
        <p className="muted">{t("imports.decided", { who: held.decided_by || "—", what: held.reason || "—" })}</p>
      )}
    </div>
  );
}
