import { useEffect, useRef, useState } from "react";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import type { PatchDetail, PatchFeature, PatchPage } from "../api/types";
import { useWords } from "../i18n";
import type { Measuring } from "../map/useMeasure";

type Work = "split" | "parts" | "redraw";
const FIGURE = { split: "length", redraw: "area", parts: null } as const;
const NEED = { split: 2, redraw: 3, parts: 0 } as const;

/** Cut along a drawn line, take apart, or draw anew; each with its reason. The original is kept by the server. */
export function PatchEdit({
  detail,
  measuring,
  onChanged,
}: {
  detail: PatchDetail;
  measuring: Measuring;
  onChanged: (id: number) => void;
}) {
  const { t, side } = useWords();
  const [work, setWork] = useState<Work | null>(null);
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const { id, geometry, properties } = detail.patch;
  const parts =
    geometry.type === "MultiPolygon" && Array.isArray(geometry.coordinates) ? geometry.coordinates.length : 1;

  // The verdict bar covers the lower end of the pane: what is asked for must be seen.
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (work !== null) form.current?.scrollIntoView({ block: "nearest" });
  }, [work]);

  const begin = (next: Work | null) => {
    setWork(next);
    setProblem(null);
    measuring.begin(next === null ? null : FIGURE[next]);
  };
  const drawn =
    work === null || work === "parts" || (measuring.figure !== null && measuring.points.length >= NEED[work]);
  const send = async () => {
    if (work === null) return;
    setBusy(true);
    setProblem(null);
    try {
      const common = { reason, version: properties.version };
      if (work === "redraw") {
        const ring = [...measuring.points, measuring.points[0]];
        const body = { ...common, geometry: { type: "Polygon", coordinates: [ring] } };
        const made = await post<PatchFeature>(`/patches/${id}/redraw`, body);
        onChanged(made.id);
      } else {
        const line = work === "split" ? { type: "LineString", coordinates: measuring.points } : null;
        const made = await post<PatchPage>(`/patches/${id}/split`, { ...common, line });
        onChanged(made.features[0]?.id ?? id);
      }
      begin(null);
      setReason("");
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form
      className="patch-edit"
      ref={form}
      data-testid="patch-edit"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <div className="patch-tools" role="group">
        {(["split", "parts", "redraw"] as const).map((each) => (
          <button
            key={each}
            type="button"
            className="btn"
            aria-pressed={work === each}
            disabled={each === "parts" && parts < 2}
            data-testid={`edit-${each}`}
            onClick={() => begin(work === each ? null : each)}
          >
            {t(`review.patch.work.${each}`)}
          </button>
        ))}
      </div>
      {work !== null && (
        <>
          <p className="muted" role="status">
            {work === "parts"
              ? t("review.patch.partsHint", { n: parts })
              : measuring.points.length === 0
                ? t(`review.patch.hint.${work}`)
                : measuring.text}
          </p>
          <input
            className="field-input"
            placeholder={t("review.patch.reason")}
            aria-label={t("review.patch.reason")}
            maxLength={500}
            value={reason}
            data-testid="edit-reason"
            onChange={(event) => setReason(event.target.value)}
          />
          <div className="patch-tools">
            <button
              type="submit"
              className="btn btn-primary"
              disabled={busy || !drawn || reason.trim() === ""}
              data-testid="edit-send"
            >
              {t(`review.patch.work.${work}`)}
            </button>
            <button type="button" className="btn btn-quiet" onClick={() => begin(null)}>
              {t("i18n.cancel")}
            </button>
          </div>
        </>
      )}
      {problem && (
        <p className="verdict-problem" role="alert">
          {side(problem.detail)} {side(problem.remedy ?? "")}
        </p>
      )}
    </form>
  );
}
