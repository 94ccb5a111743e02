import { type FormEvent, useState } from "react";
import { Problem } from "../api/problem";
import type { Account } from "../api/types";
import { speak, useWords } from "../i18n";
import { go, place } from "../state/location";
import { homeOf, signIn, useSession } from "../state/session";
import { Tour } from "./Tour";
import "./login.css";

/** The first page: sign in, demo accounts, a one-minute tour. */
export default function Login() {
  const { t, tongue, side } = useWords();
  const session = useSession();
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const accounts = session.state === "ready" && session.me.demo ? (session.me.accounts ?? []) : [];

  const enter = async (username: string, password: string) => {
    setBusy(username);
    setProblem(null);
    try {
      const me = await signIn(username, password);
      const next = place().view.filters.next;
      go(next?.startsWith("/") && !next.startsWith("//") && next !== "/" ? next : homeOf(me), "replace");
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
      setBusy(null);
    }
  };

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    void enter(String(form.get("username") ?? ""), String(form.get("password") ?? ""));
  };

  return (
    <main className="login" data-testid="login">
      <button type="button" className="btn btn-quiet login-tongue" onClick={() => speak(tongue === "zh" ? "en" : "zh")}>
        {tongue === "zh" ? "English" : "中文"}
      </button>
      <section className="login-about">
        <h1>
          <img src="/favicon.svg" alt="" /> {t("i18n.product")}
          <small>{t("i18n.subtitle")}</small>
        </h1>
        <p className="login-lead">{t("login.lead")}</p>
        <p className="muted">{t("login.about")}</p>
        <Tour accounts={accounts} onEnter={(account) => void enter(account.username, account.password)} />
      </section>
      <section className="login-door panel">
        <form onSubmit={submit}>
          <label>
            {t("login.username")}
            <input className="field-input" name="username" autoComplete="username" required maxLength={64} />
          </label>
          <label>
            {t("login.password")}
            <input className="field-input" name="password" type="password" autoComplete="current-password" required />
          </label>
          {problem && (
            <p className="login-problem" role="alert">
              {problem.status === 0 ? t("i18n.offline") : side(problem.detail)}
            </p>
          )}
          <button type="submit" className="btn btn-primary" disabled={busy !== null}>
            {busy === null ? t("login.signIn") : t("login.signingIn")}
          </button>
        </form>
        {accounts.length > 0 && (
          <div className="login-demo" data-testid="demo-accounts">
            <h2>{t("login.demo")}</h2>
            <p className="muted">{t("login.demoHint")}</p>
            <ul>
              {accounts.map((account) => (
                <AccountButton key={account.username} account={account} busy={busy} onEnter={enter} />
              ))}
            </ul>
          </div>
        )}
      </section>
    </main>
  );
}

function AccountButton({
  account,
  busy,
  onEnter,
}: {
  account: Account;
  busy: string | null;
  onEnter: (username: string, password: string) => Promise<void>;
}) {
  const { t } = useWords();
  return (
    <li>
      <button
        type="button"
        className="login-account"
        disabled={busy !== null}
        data-testid={`account-${account.username}`}
        onClick={() => void onEnter(account.username, account.password)}
      >
        <strong>{account.name}</strong>
        <span className="muted">{t(`i18n.role.${account.role}`)}</span>
        <span className="login-face">{t(`i18n.face.${account.face}`)}</span>
      </button>
    </li>
  );
}
