import { useResource } from "../api/resource";
import type { PhotoProof as Proof } from "../api/types";
import { useWords } from "../i18n";
import { formatLength } from "../map/units";
import "./proof.css";

const COMPASS = ["n", "ne", "e", "se", "s", "sw", "w", "nw"] as const;

/** Whether a photo proves the patch of an alert; if it does not, why, and where to stand instead. */
export function PhotoProof({
  alertId,
  sha,
  onStand,
}: {
  alertId: number;
  sha: string;
  onStand?: (stand: NonNullable<Proof["stand"]>) => void;
}) {
  const { t, pick, tongue } = useWords();
  const { resource } = useResource<Proof>(`/alerts/${alertId}/proof/${sha}`);
  if (resource.state === "loading") return <p className="proof muted">{t("alerts.proof.asking")}</p>;
  if (!resource.data) return <p className="proof muted">{t("alerts.proof.unknown")}</p>;
  const { counts, text, text_en, stand } = resource.data;
  const facing = (azimuth: number) => t(`alerts.proof.facing.${COMPASS[Math.round(azimuth / 45) % 8] ?? "n"}`);
  return (
    <div className="proof" data-testid={`proof-${sha.slice(0, 8)}`} data-counts={counts || undefined}>
      <strong>{t(counts ? "alerts.proof.counts" : "alerts.proof.countsNot")}</strong>
      <span>{pick(text, text_en)}</span>
      {stand && (
        <span className="proof-stand">
          {t("alerts.proof.stand", {
            away: formatLength(stand.distance_m, tongue),
            facing: facing(stand.azimuth_deg),
            azimuth: Math.round(stand.azimuth_deg),
            seen: Math.round(stand.seen * 100),
          })}
          {onStand && (
            <button type="button" className="btn" onClick={() => onStand(stand)}>
              {t("alerts.proof.show")}
            </button>
          )}
        </span>
      )}
    </div>
  );
}
