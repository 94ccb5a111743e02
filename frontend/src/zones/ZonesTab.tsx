import { useCallback, useMemo, useState } from "react";
import { useResource } from "../api/resource";
import type { Camera, Detector, Zone, ZoneInPicture } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import type { Position as Pair } from "../map/measure";
import { may, useMe } from "../state/session";
import { AreaMap } from "../subscriptions/AreaMap";
import { PicturePen } from "./PicturePen";
import { boxOf, cornersOf, type Purpose, zonesOf } from "./shapes";
import { useNewest } from "./useNewest";
import { ZoneCard } from "./ZoneCard";
import { ZoneForm } from "./ZoneForm";
import "./zones.css";

type Place = "picture" | "map";
type Pen = "none" | "draw" | "edit";

/** Zones that cameras watch: drawn in a picture or on the map, and what each is in the pictures of those that see it. */
export function ZonesTab() {
  const { t } = useWords();
  const me = useMe();
  const editor = may(me, "zones");
  const zones = useResource<Zone[]>("/zones", {}, 60);
  const cameras = useResource<Camera[]>("/cameras", { streaming: "true", limit: "500" });
  const detectors = useResource<Detector[]>("/detectors", { any_weights: "true" });
  const [place, setPlace] = useState<Place>("picture");
  const [cameraId, setCameraId] = useState<number | null>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  const [editing, setEditing] = useState<Zone | "new" | null>(null);
  const [purpose, setPurpose] = useState<Purpose>("forbidden");
  const [pen, setPen] = useState<Pen>("none");
  const [corners, setCorners] = useState<Pair[]>([]);
  const [saved, setSaved] = useState(false);
  const [focus, setFocus] = useState<[number, number, number, number] | null>(null);
  const list = zones.resource.data;
  const first = cameras.resource.data?.[0]?.id ?? null;
  const looking = cameraId ?? first;
  const outlines = useResource<ZoneInPicture[]>(looking === null ? null : `/cameras/${looking}/zones`);
  const newest = useNewest(place === "picture" ? looking : null, editor);

  const names = useMemo(() => new Map((list ?? []).map((zone) => [zone.id, zone.name])), [list]);
  const held = editing !== null && editing !== "new" ? editing.id : null;
  const areas = useMemo(() => zonesOf(list ?? [], chosen, held), [list, chosen, held]);
  const shown = useMemo(
    () => (outlines.resource.data ?? []).filter((zone) => zone.outline !== null && zone.zone_id !== held),
    [outlines.resource.data, held],
  );
  const done = useCallback(() => setPen("edit"), []);
  const leave = () => {
    setEditing(null);
    setPen("none");
    setCorners([]);
  };
  /** What was drawn elsewhere means nothing here. */
  const anew = () => {
    setCorners([]);
    if (editing !== null) setPen("draw");
  };
  const choose = (id: number) => {
    setChosen(id);
    const zone = list?.find((each) => each.id === id);
    if (!zone) return;
    if (zone.camera_id !== null) {
      setCameraId(zone.camera_id);
      setPlace("picture");
    } else setFocus(boxOf(cornersOf(zone.shape)));
  };
  const begin = (zone: Zone | "new") => {
    setSaved(false);
    setEditing(zone);
    const found = zone === "new" ? [] : cornersOf(zone.shape);
    setCorners(found);
    setPurpose(zone === "new" ? "forbidden" : zone.purpose);
    setPen(zone === "new" ? "draw" : "edit");
    if (zone !== "new") {
      setPlace(zone.camera_id === null ? "map" : "picture");
      if (zone.camera_id !== null) setCameraId(zone.camera_id);
      else setFocus(boxOf(found));
    }
  };
  const over = (id: number | null) => {
    leave();
    setChosen(id);
    zones.reload();
    outlines.reload();
  };

  return (
    <div className="zones" data-testid="zones">
      <div className="zone-desk">
        <div className="zone-stage">
          <div className="zone-bar">
            <div className="zone-choices" role="group" aria-label={t("zones.shape")}>
              {(["picture", "map"] as const).map((each) => (
                <button
                  key={each}
                  type="button"
                  className="btn"
                  aria-pressed={each === place}
                  disabled={editing !== null && editing !== "new"}
                  data-testid={`zone-on-${each}`}
                  onClick={() => {
                    if (each === place) return;
                    setPlace(each);
                    anew();
                  }}
                >
                  {t(`zones.where.${each}`)}
                </button>
              ))}
            </div>
            {place === "picture" && (
              <select
                className="field-input"
                aria-label={t("zones.chooseCamera")}
                value={looking ?? ""}
                disabled={editing !== null && editing !== "new"}
                data-testid="zone-camera"
                onChange={(event) => {
                  setCameraId(Number(event.target.value));
                  anew();
                }}
              >
                {newest.camera && !cameras.resource.data?.some((each) => each.id === looking) && (
                  <option value={newest.camera.id}>{newest.camera.name}</option>
                )}
                {(cameras.resource.data ?? []).map((each) => (
                  <option key={each.id} value={each.id}>
                    {each.name}
                  </option>
                ))}
              </select>
            )}
            {place === "picture" && newest.picture?.recorded_at && (
              <small className="muted num">{t("zones.taken", { time: dayTime(newest.picture.recorded_at) })}</small>
            )}
          </div>
          {place === "map" ? (
            <AreaMap
              areas={areas}
              pen={editing === null ? "none" : pen}
              line={purpose === "count"}
              ring={corners.length > 0 ? (purpose === "count" ? corners : [...corners, corners[0] as Pair]) : null}
              focus={focus}
              onRing={(ring) => {
                const pairs = ring.map((at): Pair => [at[0] ?? 0, at[1] ?? 0]);
                setCorners(purpose === "count" ? pairs : pairs.slice(0, -1));
                setPen("edit");
              }}
              onChoose={choose}
            />
          ) : newest.picture?.sha256 ? (
            <PicturePen
              key={newest.picture.sha256}
              sha={newest.picture.sha256}
              zones={shown}
              names={names}
              chosen={chosen}
              pen={editing === null ? "none" : pen}
              purpose={purpose}
              corners={corners}
              onCorners={setCorners}
              onDone={done}
              onChoose={choose}
            />
          ) : newest.problem ? null : newest.reading ? (
            <Skeleton rows={1} height="20rem" />
          ) : (
            <Drawn reading={cameras} skeleton={<Skeleton rows={1} height="20rem" />}>
              {() => (
                <div className="zone-picture zone-picture-none" data-testid="zone-no-picture">
                  {t(newest.making ? "zones.making" : looking === null ? "zones.noCameras" : "zones.noPicture")}
                </div>
              )}
            </Drawn>
          )}
          {place === "picture" && <ProblemLine problem={newest.problem ?? outlines.resource.problem} />}
        </div>
        <div className="zone-side">
          {editing !== null ? (
            <ZoneForm
              key={editing === "new" ? "new" : editing.id}
              of={editing === "new" ? null : editing}
              detectors={detectors}
              cameraId={place === "map" ? null : looking}
              corners={corners}
              purpose={purpose}
              onPurpose={(next) => {
                if ((next === "count") !== (purpose === "count")) {
                  setCorners([]);
                  setPen("draw");
                }
                setPurpose(next);
              }}
              pen={pen}
              onPen={(next) => {
                if (next === "draw") setCorners([]);
                setPen(next);
              }}
              onTakeBack={() => setCorners((old) => old.slice(0, -1))}
              onSaved={(zone) => {
                setSaved(true);
                over(zone.id);
              }}
              onRemoved={() => over(null)}
              onCancel={leave}
            />
          ) : (
            <>
              <header className="zone-head">
                <h2>{t("zones.list")}</h2>
                {editor && (
                  <button type="button" className="btn btn-primary" data-testid="zone-add" onClick={() => begin("new")}>
                    {t("zones.add")}
                  </button>
                )}
              </header>
              {saved && (
                <p role="status" className="state-good" data-testid="zone-saved">
                  {t("zones.saved")}
                </p>
              )}
              <Drawn
                reading={zones}
                skeleton={<Skeleton rows={3} />}
                isEmpty={(all) => all.length === 0}
                empty={<Empty title={t("zones.none")} hint={t("zones.noneHint")} />}
              >
                {(all) => (
                  <ul className="zone-cards">
                    {all.map((zone) => (
                      <ZoneCard
                        key={zone.id}
                        zone={zone}
                        chosen={zone.id === chosen}
                        cameraId={place === "picture" ? looking : null}
                        editor={editor}
                        onChoose={() => choose(zone.id)}
                        onEdit={() => begin(zone)}
                        onCamera={(id) => {
                          setCameraId(id);
                          setPlace("picture");
                        }}
                      />
                    ))}
                  </ul>
                )}
              </Drawn>
            </>
          )}
        </div>
      </div>
    </div>
  );
}
