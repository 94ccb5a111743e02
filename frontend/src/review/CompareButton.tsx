import type { ReactNode } from "react";
import { useWords } from "../i18n";
import { dayOnly } from "../i18n/time";
import { changeFilters, useView } from "../state/location";

/** Lays the pictures before and after over the map, or leads back to it; says their days and, as its content, what changed. */
export function CompareButton({ of, children }: { of: { before_at: string; after_at: string }; children: ReactNode }) {
  const { t } = useWords();
  const comparing = useView().filters.compare === "1";
  return (
    <button
      type="button"
      className="btn compare-button"
      aria-pressed={comparing}
      data-testid="compare"
      onClick={() => changeFilters({ compare: comparing ? null : "1", swipe: null })}
    >
      <strong>{comparing ? t("review.backToMap") : t("review.compare")}</strong>
      <span className="num">
        {dayOnly(of.before_at)} → {dayOnly(of.after_at)}
      </span>
      <span className="muted">{children}</span>
    </button>
  );
}
