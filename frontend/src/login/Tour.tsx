import { useState } from "react";
import type { Account } from "../api/types";
import { useWords } from "../i18n";

const STEPS = [
  { key: "receive", face: "wall" },
  { key: "verify", face: "review" },
  { key: "dispatch", face: "wall" },
  { key: "close", face: "field" },
] as const;

/** 接警、核实、派遣、闭环: four cards, each ending in the account that does this step. */
export function Tour({ accounts, onEnter }: { accounts: readonly Account[]; onEnter: (account: Account) => void }) {
  const { t } = useWords();
  const [at, setAt] = useState(0);
  const step = STEPS[at] ?? STEPS[0];
  const account = accounts.find((a) => a.face === step.face);
  return (
    <section className="tour" aria-label={t("login.tour")} data-testid="tour">
      <h2>{t("login.tour")}</h2>
      <ol className="tour-steps">
        {STEPS.map(({ key }, i) => (
          <li key={key}>
            <button type="button" aria-current={i === at ? "step" : undefined} onClick={() => setAt(i)}>
              <i className="num">{i + 1}</i> {t(`login.steps.${key}.title`)}
            </button>
          </li>
        ))}
      </ol>
      <p className="tour-text">{t(`login.steps.${step.key}.text`)}</p>
      <div className="tour-buttons">
        <button type="button" className="btn" disabled={at === 0} onClick={() => setAt(at - 1)}>
          {t("login.back")}
        </button>
        <button type="button" className="btn" disabled={at === STEPS.length - 1} onClick={() => setAt(at + 1)}>
          {t("login.next")}
        </button>
        {account && (
          <button type="button" className="btn btn-quiet" onClick={() => onEnter(account)}>
            {t("login.start", { name: account.name })}
          </button>
        )}
      </div>
    </section>
  );
}
