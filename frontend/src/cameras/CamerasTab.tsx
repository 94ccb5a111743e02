import { useEffect, useState } from "react";
import { Table } from "../admin/Table";
import { useEvents } from "../api/events";
import { useResource } from "../api/resource";
import type { CameraHealth, CameraStanding } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { ageSeconds, fullTime } from "../i18n/time";
import { formatAge } from "../map/units";
import { changeFilters, useView } from "../state/location";
import { may, useMe } from "../state/session";
import { CameraMap } from "./CameraMap";
import { Chosen } from "./Chosen";
import { ImportCameras } from "./ImportCameras";
import "./cameras.css";

const HOWS = ["offline", "silent", "frozen", "moved", "wrong_pose", "blurred", "dark", "online"] as const;
const LISTED = 200;

/** Which cameras are not well, since when and where; the register is imported here. */
export function CamerasTab() {
  const { t } = useWords();
  const me = useMe();
  const { filters } = useView();
  const how = HOWS.find((each) => each === filters.how);
  const [typed, setTyped] = useState(filters.q ?? "");
  const [picked, setPicked] = useState<CameraStanding | null>(null);
  const asked = filters.q ?? "";
  useEffect(() => {
    const timer = window.setTimeout(() => changeFilters({ q: typed.trim() }, "replace"), 300);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const reading = useResource<CameraHealth>(
    "/camera-health",
    { limit: String(LISTED), ...(how ? { how } : {}), ...(asked ? { q: asked } : {}) },
    30,
  );
  useEvents(["camera."], reading.reload);
  const known = reading.resource.data;
  const unwell = known
    ? Object.entries(known.counts).reduce((sum, [name, n]) => (name === "online" ? sum : sum + n), 0)
    : null;
  const listed = known?.cameras ?? NONE;
  const row = listed.find((each) => each.id === picked?.id);
  const chosen = row ?? picked;
  const choose = (id: number) => setPicked(listed.find((each) => each.id === id) ?? null);
  return (
    <div className="cameras" data-testid="cameras">
      {may(me, "import") && <ImportCameras onDone={reading.reload} />}
      <div className="camera-filters" role="group">
        <button type="button" className="btn" aria-pressed={!how} onClick={() => changeFilters({ how: null })}>
          {t("cameras.all")} <span className="num">{unwell?.toLocaleString("en-US") ?? "–"}</span>
        </button>
        {HOWS.map((each) => (
          <button
            key={each}
            type="button"
            className="btn"
            title={t(`cameras.means.${each}`)}
            aria-pressed={how === each}
            data-testid={`how-${each}`}
            onClick={() => changeFilters({ how: how === each ? null : each })}
          >
            {t(`cameras.how.${each}`)}{" "}
            <span className="num">{known ? (known.counts[each] ?? 0).toLocaleString("en-US") : "–"}</span>
          </button>
        ))}
        <input
          className="field-input camera-search"
          type="search"
          maxLength={120}
          placeholder={t("cameras.search")}
          aria-label={t("cameras.search")}
          value={typed}
          data-testid="camera-search"
          onChange={(event) => setTyped(event.target.value)}
        />
      </div>
      <div className="camera-desk">
        <div className="camera-list">
          <Drawn
            reading={reading}
            skeleton={<Skeleton rows={8} height="2rem" />}
            isEmpty={(all) => all.cameras.length === 0}
            empty={
              how || asked ? (
                <Empty
                  title={t("cameras.noneTitle")}
                  hint={t(asked && !how ? "cameras.noneUnwell" : "cameras.noneHint")}
                />
              ) : (
                <Empty title={t("cameras.wellTitle")} hint={t("cameras.wellHint")} />
              )
            }
          >
            {(all) => <List of={all} chosen={chosen} onChoose={setPicked} />}
          </Drawn>
        </div>
        <div className="camera-side">
          <CameraMap cameras={listed} chosen={chosen} onChoose={choose} />
          {chosen ? (
            <Chosen key={chosen.id} of={chosen} listed={row !== undefined} onChanged={reading.reload} />
          ) : (
            <p className="muted">{t("cameras.choose")}</p>
          )}
        </div>
      </div>
    </div>
  );
}

const NONE: readonly CameraStanding[] = [];

function List({
  of,
  chosen,
  onChoose,
}: {
  of: CameraHealth;
  chosen: CameraStanding | null;
  onChoose: (camera: CameraStanding) => void;
}) {
  const { t, tongue } = useWords();
  const now = Date.parse(of.as_of);
  return (
    <>
      <Table
        label={t("cameras.camera")}
        testId="camera-table"
        rows={of.cameras}
        rowKey={(each) => String(each.id)}
        columns={[
          {
            title: t("cameras.camera"),
            cell: (each) => (
              <button
                type="button"
                className="camera-name"
                aria-pressed={chosen?.id === each.id}
                data-testid={`camera-${each.id}`}
                onClick={() => onChoose(each)}
              >
                <strong>{each.name || each.code}</strong> {each.simulated && <SimulatedTag />}
                <small className="muted num">
                  {each.code} · {t(`cameras.kinds.${each.kind}`)}
                  {each.owner && ` · ${each.owner}`}
                </small>
              </button>
            ),
          },
          {
            title: t("cameras.state"),
            cell: (each) => <span title={t(`cameras.means.${each.how}`)}>{t(`cameras.how.${each.how}`)}</span>,
          },
          {
            title: t("cameras.since"),
            numeric: true,
            cell: (each) =>
              each.since ? (
                <span title={fullTime(each.since)}>{formatAge(ageSeconds(each.since, now), tongue)}</span>
              ) : (
                t("cameras.never")
              ),
          },
          {
            title: t("cameras.lastFrame"),
            numeric: true,
            cell: (each) => (each.last_frame_at ? fullTime(each.last_frame_at) : t("cameras.never")),
          },
        ]}
      />
      {of.cameras.length === LISTED && <p className="muted">{t("cameras.more", { n: LISTED })}</p>}
    </>
  );
}
