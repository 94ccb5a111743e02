import { type FormEvent, useState } from "react";
import { intention, post } from "../api/client";
import { Problem } from "../api/problem";
import type { Reading } from "../api/resource";
import type { CaseAction, CaseDetail, EvidenceOut } from "../api/types";
import { useWords } from "../i18n";

/** The legal steps as buttons; a step that needs something asks for it first. Illegal steps are not drawn. */
export function CaseActions({ item, reading }: { item: CaseDetail; reading: Reading<CaseDetail> }) {
  const { t, pick, side } = useWords();
  const [asking, setAsking] = useState<CaseAction | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  const take = async (action: CaseAction, form: FormData | null) => {
    setBusy(true);
    setProblem(null);
    try {
      const evidence: string[] = [];
      const photo = form?.get("photo");
      if (photo instanceof File && photo.size > 0) {
        const upload = new FormData();
        upload.set("file", photo);
        upload.set("kind", "photo");
        upload.set("lon", String(item.place.lon));
        upload.set("lat", String(item.place.lat));
        upload.set("accuracy_m", String(item.place.accuracy_m));
        evidence.push((await post<EvidenceOut>("/evidence", upload)).sha256);
      }
      const handler = form?.get("handler");
      const body = {
        action: action.action,
        version: item.version,
        note: String(form?.get("note") ?? ""),
        evidence,
        handler_id: handler ? Number(handler) : null,
      };
      const changed = await post<CaseDetail>(`/cases/${item.id}/steps`, body, intention());
      reading.patch(() => changed);
      setAsking(null);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
      reading.reload();
    } finally {
      setBusy(false);
    }
  };

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (asking) void take(asking, new FormData(event.currentTarget));
  };

  return (
    <footer className="verdict-bar" data-testid="case-actions">
      {problem && (
        <p className="verdict-problem" role="alert">
          {side(problem.detail)} {side(problem.remedy ?? "")}
        </p>
      )}
      {asking ? (
        <form className="case-form" onSubmit={submit}>
          <strong>{pick(asking.name, asking.name_en)}</strong>
          {asking.needs.includes("handler") && (
            <select
              className="field-input"
              name="handler"
              required
              aria-label={t("review.case.chooseHandler")}
              defaultValue=""
            >
              <option value="" disabled>
                {t("review.case.chooseHandler")}
              </option>
              {item.handlers.map((person) => (
                <option key={person.id} value={person.id}>
                  {person.name} {person.department}
                </option>
              ))}
            </select>
          )}
          {asking.needs.includes("evidence") && (
            <input
              className="field-input"
              type="file"
              name="photo"
              accept="image/*"
              required
              aria-label={t("review.case.photo")}
            />
          )}
          <textarea
            className="field-input"
            name="note"
            rows={2}
            maxLength={2000}
            required={asking.needs.includes("note")}
            placeholder={t("review.case.note")}
            aria-label={t("review.case.note")}
          />
          <div className="verdict-buttons">
            <button type="submit" className="btn btn-primary" disabled={busy}>
              {busy ? t("review.case.sending") : t("review.case.take")}
            </button>
            <button type="button" className="btn btn-quiet" onClick={() => setAsking(null)}>
              {t("i18n.cancel")}
            </button>
          </div>
        </form>
      ) : item.actions.length === 0 ? (
        <p className="muted">{t("review.case.nothing")}</p>
      ) : (
        <div className="verdict-buttons">
          {item.actions.map((action, i) => (
            <button
              key={action.action}
              type="button"
              className={`btn ${i === 0 ? "btn-primary" : ""}`}
              disabled={busy}
              data-testid={`step-${action.action}`}
              title={
                action.needs.length > 0
                  ? t("review.case.needs", {
                      what: action.needs.map((need) => t(`review.case.need.${need}`)).join("、"),
                    })
                  : undefined
              }
              onClick={() => (action.needs.length > 0 ? setAsking(action) : void take(action, null))}
            >
              {pick(action.name, action.name_en)}
            </button>
          ))}
        </div>
      )}
    </footer>
  );
}
