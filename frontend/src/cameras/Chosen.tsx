import { useEvents } from "../api/events";
import { useResource } from "../api/resource";
import type { Camera, CameraStanding } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { fullTime } from "../i18n/time";
import { go } from "../state/location";
import { may, useMe } from "../state/session";
import { Calibrate } from "./Calibrate";

/** The chosen camera: how it is, since when, its pose, the way to the map of the desk, and its calibration. */
export function Chosen({
  of,
  listed,
  onChanged,
}: {
  of: CameraStanding;
  /** Whether `of` is a row of the list as it is now: one that got well is no longer on it. */
  listed: boolean;
  onChanged: () => void;
}) {
  const { t } = useWords();
  const me = useMe();
  const reading = useResource<Camera>(`/cameras/${of.id}`);
  useEvents(["camera."], reading.reload);
  const how = listed ? of.how : (reading.resource.data?.state ?? of.how);
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
        <strong data-testid="camera-how">{t(`cameras.how.${how}`)}</strong>{" "}
        {listed && of.since && <span className="num">{fullTime(of.since)}</span>}
        <small className="muted"> {t(`cameras.means.${how}`)}</small>
      </p>
      <Drawn reading={reading} skeleton={<Skeleton rows={1} height="1.25rem" />}>
        {(camera) => (
          <>
            <p className="num muted">
              {t("cameras.pose", {
                azimuth: camera.azimuth_deg.toFixed(1),
                pitch: camera.pitch_deg.toFixed(1),
                hfov: camera.hfov_deg.toFixed(1),
                sigma: camera.pose_sigma_deg.toFixed(1),
              })}
            </p>
            {may(me, "zones") && (
              <Calibrate
                camera={camera}
                onApplied={() => {
                  reading.reload();
                  onChanged();
                }}
              />
            )}
          </>
        )}
      </Drawn>
    </section>
  );
}
