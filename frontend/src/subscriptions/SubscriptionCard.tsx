import { useState } from "react";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import type { Subscription } from "../api/types";
import { useWords } from "../i18n";
import { formatArea } from "../map/units";
import { areaOf, ringOf } from "./areas";

/** One subscription in words, how its deliveries stand, and what can be done with it. */
export function SubscriptionCard({
  of,
  chosen,
  showing,
  onChoose,
  onEdit,
  onPause,
  onRenew,
  onRemove,
}: {
  of: Subscription;
  chosen: boolean;
  /** Whether its new secret stands on the screen: until that is kept, no other takes its place. */
  showing: boolean;
  onChoose: () => void;
  onEdit: () => void;
  onPause: () => void;
  onRenew: () => void;
  onRemove: () => void;
}) {
  const { t, kind, side, tongue } = useWords();
  const [tried, setTried] = useState<{ ok: boolean; reason: string } | "trying" | null>(null);
  const ring = ringOf(of.area);
  const what =
    of.kinds.length > 0 ? of.kinds.map(kind).join(tongue === "zh" ? "、" : ", ") : t("subscriptions.allKinds");
  const test = async () => {
    setTried("trying");
    try {
      setTried(await post<{ ok: boolean; reason: string }>(`/subscriptions/${of.id}/test`));
    } catch (cause) {
      const problem = cause instanceof Problem ? cause : Problem.unreachable(cause);
      setTried({ ok: false, reason: problem.detail });
    }
  };
  return (
    <li className="subscription-card" data-chosen={chosen} data-testid={`subscription-${of.id}`}>
      <button type="button" className="subscription-name" aria-pressed={chosen} onClick={onChoose}>
        <strong>{of.title}</strong>
        {!of.active && <span className="subscription-paused">{t("subscriptions.paused")}</span>}
        <small className="muted clip">{of.address}</small>
        <small>
          {what} · {t(`subscriptions.severities.${of.severity}`)} ·{" "}
          {ring ? formatArea(areaOf(ring), tongue) : t("subscriptions.whole")}
        </small>
        <small className="num muted">
          {t("subscriptions.delivered", { n: of.delivered })} · {t("subscriptions.waiting", { n: of.waiting })}
          {of.dead > 0 && <strong className="subscription-dead"> · {t("subscriptions.dead", { n: of.dead })}</strong>}
        </small>
      </button>
      {tried && (
        <p className="subscription-tried" role="status" data-testid="subscription-tried">
          {tried === "trying"
            ? t("subscriptions.testing")
            : tried.ok
              ? t("subscriptions.testOk")
              : t("subscriptions.testBad", { reason: side(tried.reason) })}
        </p>
      )}
      <div className="subscription-actions">
        <button
          type="button"
          className="btn btn-quiet"
          disabled={tried === "trying"}
          onClick={() => void test()}
          data-testid={`subscription-test-${of.id}`}
        >
          {t("subscriptions.test")}
        </button>
        <button type="button" className="btn btn-quiet" onClick={onPause}>
          {t(of.active ? "subscriptions.pause" : "subscriptions.resume")}
        </button>
        <button type="button" className="btn btn-quiet" onClick={onEdit}>
          {t("subscriptions.edit")}
        </button>
        {of.format !== "cot" && (
          <button type="button" className="btn btn-quiet" disabled={showing} onClick={onRenew}>
            {t("subscriptions.renew")}
          </button>
        )}
        <button type="button" className="btn btn-quiet" onClick={onRemove}>
          {t("subscriptions.remove")}
        </button>
      </div>
    </li>
  );
}
