import { type FormEvent, useRef, useState } from "react";
import { intention, post } from "../api/client";
import { Problem } from "../api/problem";
import type { Quarantine } from "../api/types";
import { Dialog } from "../components/Dialog";
import { useWords } from "../i18n";
import { Verdict } from "../imports/Verdict";
import { fitTo } from "../map/instance";
import "./import.css";

const FRAMES = ["EPSG:4326", "EPSG:4490", "EPSG:4528", "EPSG:4549", "EPSG:3857"] as const;

interface Made {
  layer: string;
  feature_count: number;
  rejected: { row: number; reason: string }[];
  bbox: [number, number, number, number] | null;
}

interface Candidate {
  crs: string;
  swapped: boolean;
  reason: string;
  reason_en: string;
}

function listOf<T>(problem: Problem | null, member: string): T[] {
  const found = problem?.members[member];
  return Array.isArray(found) ? (found as T[]) : [];
}

function Rows({ rows }: { rows: { row: number; reason: string }[] }) {
  const { t, side } = useWords();
  return (
    <ul className="import-rows" data-testid="import-rows">
      {rows.slice(0, 50).map((row) => (
        <li key={row.row}>{t("review.imports.row", { row: row.row, reason: side(row.reason) })}</li>
      ))}
    </ul>
  );
}

/** A file becomes a layer. A missing or wrong coordinate system is answered with candidates, each one click to try again. */
export function ImportDialog({ onClose, onShow }: { onClose: () => void; onShow: (layer: string) => void }) {
  const { t, pick, side } = useWords();
  const form = useRef<HTMLFormElement>(null);
  const [crs, setCrs] = useState("");
  const [name, setName] = useState("");
  const [csv, setCsv] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [made, setMade] = useState<Made | null>(null);
  const [held, setHeld] = useState<Quarantine | null>(null);

  const send = async (frame: string, swapped = false) => {
    if (!form.current) return;
    const body = new FormData(form.current);
    body.delete("crs");
    if (frame !== "") body.set("crs", frame);
    if (swapped) body.set("axes", "yx");
    for (const key of ["x", "y"]) if (!body.get(key)) body.delete(key);
    setBusy(true);
    setProblem(null);
    try {
      const answer = await post<Made | Quarantine>("/datasets", body, intention());
      if ("suspicious_rows" in answer) setHeld(answer);
      else setMade(answer);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    } finally {
      setBusy(false);
    }
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void send(crs);
  };

  const candidates = listOf<Candidate>(problem, "candidates");
  const rows = listOf<{ row: number; reason: string }>(problem, "rows");
  return (
    <Dialog title={t("review.import")} onClose={onClose} testId="import-dialog">
      {held ? (
        <>
          <Verdict held={held} onDecided={setHeld} />
          {(held.state === "fixed" || held.state === "overridden") && (
            <button
              type="button"
              className="btn btn-primary"
              onClick={() => {
                onShow(held.layer);
                if (held.bbox) fitTo(held.bbox);
                onClose();
              }}
            >
              {t("review.imports.show")}
            </button>
          )}
        </>
      ) : made ? (
        <div className="import-done" data-testid="import-done">
          <p>{t("review.imports.done", { n: made.feature_count })}</p>
          {made.rejected.length > 0 && (
            <>
              <p className="muted">{t("review.imports.rejected", { n: made.rejected.length })}</p>
              <Rows rows={made.rejected} />
            </>
          )}
          <button
            type="button"
            className="btn btn-primary"
            onClick={() => {
              onShow(made.layer);
              if (made.bbox) fitTo(made.bbox);
              onClose();
            }}
          >
            {t("review.imports.show")}
          </button>
        </div>
      ) : (
        <form ref={form} className="import-form" onSubmit={submit}>
          <label>
            {t("review.imports.file")}
            <input
              className="field-input"
              type="file"
              name="file"
              required
              accept=".geojson,.json,.zip,.gpkg,.kml,.csv"
              onChange={(event) => {
                const file = event.target.files?.[0]?.name ?? "";
                setCsv(/\.csv$/i.test(file));
                if (name === "") setName(file.replace(/\.[^.]+$/, ""));
              }}
            />
            <small className="muted">{t("review.imports.fileHint")}</small>
          </label>
          <label>
            {t("review.imports.name")}
            <input
              className="field-input"
              name="title"
              required
              maxLength={120}
              value={name}
              onChange={(e) => setName(e.target.value)}
            />
          </label>
          <label>
            {t("review.imports.crs")}
            <select
              className="field-input"
              name="crs"
              value={crs}
              onChange={(e) => setCrs(e.target.value)}
              data-testid="import-crs"
            >
              <option value="">{t("review.imports.auto")}</option>
              {FRAMES.map((frame) => (
                <option key={frame} value={frame}>
                  {frame}
                </option>
              ))}
              <option value="GCJ-02">{t("review.imports.gcj")}</option>
              <option value="BD-09">{t("review.imports.bd")}</option>
            </select>
          </label>
          {csv && (
            <div className="import-columns">
              <label>
                {t("review.imports.x")}
                <input className="field-input" name="x" maxLength={120} />
              </label>
              <label>
                {t("review.imports.y")}
                <input className="field-input" name="y" maxLength={120} />
              </label>
            </div>
          )}
          {problem && (
            <div className="import-problem" role="alert" data-testid="import-problem">
              <strong>{t("review.imports.refused")}</strong>
              <p>{side(problem.detail)}</p>
              {problem.remedy && <p className="muted">{side(problem.remedy ?? "")}</p>}
              {candidates.length > 0 && (
                <>
                  <p className="muted">{t("review.imports.candidates")}</p>
                  <div className="import-candidates">
                    {candidates.map((candidate) => (
                      <button
                        key={`${candidate.crs}${candidate.swapped}`}
                        type="button"
                        className="btn"
                        disabled={busy}
                        data-testid={`candidate-${candidate.crs}`}
                        onClick={() => {
                          setCrs(candidate.crs);
                          void send(candidate.crs, candidate.swapped);
                        }}
                      >
                        <strong>{candidate.crs}</strong>
                        <small className="muted">{pick(candidate.reason, candidate.reason_en)}</small>
                      </button>
                    ))}
                  </div>
                </>
              )}
              {rows.length > 0 && (
                <>
                  <p className="muted">{t("review.imports.rows")}</p>
                  <Rows rows={rows} />
                </>
              )}
            </div>
          )}
          <button type="submit" className="btn btn-primary" disabled={busy} data-testid="import-send">
            {busy ? t("review.imports.sending") : t("review.imports.send")}
          </button>
        </form>
      )}
    </Dialog>
  );
}
