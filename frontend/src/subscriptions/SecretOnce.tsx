import { useState } from "react";
import { useWords } from "../i18n";

/** A secret that nobody can ask for again: shown until whoever made it says that it is kept. */
export function SecretOnce({ title, secret, onClose }: { title: string; secret: string; onClose: () => void }) {
  const { t } = useWords();
  const [copied, setCopied] = useState(false);
  return (
    <section className="secret-once" role="alert" data-testid="secret-once">
      <h2>{t("subscriptions.secretTitle")}</h2>
      <p className="muted">{title}</p>
      <code data-testid="secret-text">{secret}</code>
      <p className="muted">{t("subscriptions.secretHint")}</p>
      <div className="subscription-actions">
        <button
          type="button"
          className="btn"
          onClick={() => void navigator.clipboard?.writeText(secret).then(() => setCopied(true))}
        >
          {t(copied ? "i18n.copied" : "i18n.copy")}
        </button>
        <button type="button" className="btn btn-primary" onClick={onClose} data-testid="secret-seen">
          {t("subscriptions.secretSeen")}
        </button>
      </div>
    </section>
  );
}
