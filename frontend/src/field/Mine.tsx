import { useEffect, useState } from "react";
import { SimulatedTag } from "../components/Severity";
import { speak, useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { signOut, useMe } from "../state/session";
import { again, discard, type OutboxState } from "./outbox";

/** Oneself: who, where, what waits to be sent, language, sign out. */
export function Mine({ outbox }: { outbox: OutboxState }) {
  const { t, tongue } = useWords();
  const me = useMe();
  const cells = me.cell_codes?.join(" ");
  const [persisted, setPersisted] = useState<boolean | null>(null);
  useEffect(() => {
    void navigator.storage?.persisted?.().then(setPersisted);
  }, []);
  return (
    <div className="field-scroll" data-testid="mine">
      <div className="field-title">
        <h1>{me.name}</h1>
        {me.simulated && <SimulatedTag />}
        <em>{t(`i18n.role.${me.role ?? "grid_worker"}`)}</em>
      </div>
      <dl className="field-facts">
        <dt>{t("field.myRegion")}</dt>
        <dd>{me.region_name}</dd>
        {cells && (
          <>
            <dt>{t("field.myGrid")}</dt>
            <dd className="num">{cells}</dd>
          </>
        )}
      </dl>
      <h2>{t("field.outbox")}</h2>
      {outbox.waiting.length === 0 ? (
        <p className="muted">{t("field.outboxEmpty")}</p>
      ) : (
        <ul className="field-cards" data-testid="outbox">
          {outbox.waiting.map((report) => (
            <li key={report.key} className="field-card">
              <span className="field-card-head">
                <strong className="clip">{report.title}</strong>
                <em className="num">{dayTime(report.recordedAt)}</em>
              </span>
              {report.refusal && (
                <>
                  <span className="field-late" role="alert">
                    {t("field.refused")}: {report.refusal}
                  </span>
                  <span className="field-card-foot">
                    <button type="button" className="btn" onClick={() => void again(report)}>
                      {t("field.again")}
                    </button>
                    <button type="button" className="btn" onClick={() => void discard(report)}>
                      {t("field.discard")}
                    </button>
                  </span>
                </>
              )}
            </li>
          ))}
        </ul>
      )}
      {persisted !== null && <p className="muted">{t(persisted ? "field.storageKept" : "field.storageLoose")}</p>}
      <div className="field-mine-foot">
        <button type="button" className="btn field-big" onClick={() => speak(tongue === "zh" ? "en" : "zh")}>
          {t("field.language")}
        </button>
        <button type="button" className="btn field-big" data-testid="sign-out" onClick={() => void signOut()}>
          {t("i18n.signOut")}
        </button>
      </div>
    </div>
  );
}
