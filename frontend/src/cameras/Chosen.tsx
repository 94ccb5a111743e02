import type { CameraStanding } from "../api/types";
import { useWords } from "../i18n";
import { fullTime } from "../i18n/time";
import { go } from "../state/location";

/** The chosen camera: how it is, since when, and the way to the map of the desk. */
export function Chosen({ of }: { of: CameraStanding; onChanged: () => void }) {
  const { t } = useWords();
  const href = `/review?c=${of.lon.toFixed(5)},${of.lat.toFixed(5)},16&l=cameras,camera_views`;
  return (
    <section className="camera-chosen" data-testid="camera-chosen">
      <header>
        <h2>{of.name || of.code}</h2>
        <button type="button" className="btn" onClick={() => go(href)} data-testid="camera-desk">
          {t("cameras.desk")}
        </button>
      </header>
      <p>
        <strong>{t(`cameras.how.${of.how}`)}</strong> {of.since && <span className="num">{fullTime(of.since)}</span>}
        <small className="muted"> {t(`cameras.means.${of.how}`)}</small>
      </p>
    </section>
  );
}
