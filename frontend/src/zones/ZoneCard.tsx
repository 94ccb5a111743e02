import { useResource } from "../api/resource";
import type { Zone, ZoneCount, ZoneInPicture } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";

function percent(share: number): string {
  return `${share < 0.1 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;
}

/** Which cameras see a zone on the map, how much of it and how surely; a click shows it in that picture. */
function SeenBy({ zone, cameraId, onCamera }: { zone: Zone; cameraId: number | null; onCamera: (id: number) => void }) {
  const { t } = useWords();
  const pictures = useResource<ZoneInPicture[]>(`/zones/${zone.id}/pictures`);
  return (
    <div className="zone-seen">
      <strong>{t("zones.seenBy")}</strong>
      <Drawn
        reading={pictures}
        skeleton={<Skeleton rows={2} height="1.75rem" />}
        isEmpty={(list) => list.length === 0}
        empty={<p className="muted">{t("zones.seenByNobody")}</p>}
      >
        {(list) => (
          <ul data-testid="zone-seen">
            {list.map((each) => (
              <li key={each.camera_id}>
                <button
                  type="button"
                  className="btn btn-quiet"
                  aria-pressed={each.camera_id === cameraId}
                  onClick={() => onCamera(each.camera_id)}
                >
                  {each.camera_name}
                  <small className="muted num">
                    {t("zones.visible", { share: percent(each.visible) })} ·{" "}
                    {each.by === "picture"
                      ? t("zones.exact")
                      : t("zones.sigma", { share: percent(1.645 * each.border_sigma) })}{" "}
                    · {t(`zones.by.${each.by}`)}
                  </small>
                </button>
              </li>
            ))}
          </ul>
        )}
      </Drawn>
    </div>
  );
}

function Crossings({ zone }: { zone: Zone }) {
  const { t } = useWords();
  const counts = useResource<ZoneCount[]>(`/zones/${zone.id}/counts`, {}, 60);
  return (
    <div className="zone-seen">
      <strong>{t("zones.counts")}</strong>
      <Drawn
        reading={counts}
        isEmpty={(list) => list.length === 0}
        empty={<p className="muted">{t("zones.noCounts")}</p>}
      >
        {(list) => (
          <ul className="num">
            {list.slice(0, 12).map((each) => (
              <li key={`${each.hour} ${each.camera_id}`}>
                {t("zones.countLine", { hour: dayTime(each.hour), forward: each.forward, backward: each.backward })}
              </li>
            ))}
          </ul>
        )}
      </Drawn>
    </div>
  );
}

/** One zone in the list; the chosen one tells who sees it. */
export function ZoneCard({
  zone,
  chosen,
  cameraId,
  editor,
  onChoose,
  onEdit,
  onCamera,
}: {
  zone: Zone;
  chosen: boolean;
  cameraId: number | null;
  editor: boolean;
  onChoose: () => void;
  onEdit: () => void;
  onCamera: (id: number) => void;
}) {
  const { t, kind } = useWords();
  const limits = [
    zone.purpose === "crowd" ? t("zones.leastOf", { n: zone.least }) : "",
    zone.min_dwell_s > 0 ? t("zones.dwellOf", { s: zone.min_dwell_s }) : "",
    zone.from_time && zone.until_time ? `${zone.from_time.slice(0, 5)}–${zone.until_time.slice(0, 5)}` : "",
  ].filter((each) => each !== "");
  return (
    <li className="zone-card" data-chosen={chosen} data-testid={`zone-card-${zone.id}`}>
      <button type="button" className="zone-name" onClick={onChoose}>
        <strong>{zone.name}</strong>
        <small className={zone.active ? "state-good" : "muted"}>
          {t(zone.active ? "zones.active" : zone.enabled ? "zones.resting" : "zones.off")}
        </small>
        <small className="muted">
          {[
            zone.kind ? kind(zone.kind) : t("zones.purposes.count"),
            zone.camera_name ?? t("zones.where.map"),
            ...limits,
          ].join(" · ")}
        </small>
      </button>
      {chosen && (
        <>
          {zone.purpose === "count" && <Crossings zone={zone} />}
          <SeenBy zone={zone} cameraId={cameraId} onCamera={onCamera} />
          <small className="muted">
            {t("zones.version", { n: zone.version, who: zone.changed_by ?? "—", time: dayTime(zone.changed_at) })}{" "}
            {zone.simulated && <SimulatedTag />}
          </small>
          {editor && (
            <button type="button" className="btn" data-testid="zone-edit" onClick={onEdit}>
              {t("zones.change")}
            </button>
          )}
        </>
      )}
    </li>
  );
}
