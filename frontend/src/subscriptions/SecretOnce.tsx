import { useState } from "react";
import { useWords } from "../i18n";

/** A secret that nobody can ask for again: shown until whoever made it says that it is kept. */
export function SecretOnce({ title, secret, onClose }: { title: string; secret: string; onClose: () => void }) {
  const { t } = useWords();
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(secret);
      setCopied(true);
    } catch {
      // Without HTTPS there is no clipboard at all.
      setCopied(false);
    }
  };
  return (
    <section className="secret-once" role="alert" data-testid="secret-once">
      <h2>{t("subscriptions.secretTitle")}</h2>
      <p className="muted">{title}</p>
      <code data-testid="secret-text">{secret}</code>
      <p className="muted">{t("subscriptions.secretHint")}</p>
      {copied === false && (
        <p className="card-problem" role="alert" data-testid="secret-not-copied">
          {t("subscriptions.notCopied")}
        </p>
      )}
      <div className="subscription-actions">
        <button type="button" className="btn" onClick={() => void copy()} data-testid="secret-copy">
          {t(copied ? "i18n.copied" : "i18n.copy")}
        </button>
        <button type="button" className="btn btn-primary" onClick={onClose} data-testid="secret-seen">
          {t("subscriptions.secretSeen")}
        </button>
      </div>
    </section>
  );
}
