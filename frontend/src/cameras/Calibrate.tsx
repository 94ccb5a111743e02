import { useState } from "react";
import { Table } from "../admin/Table";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { Camera, CameraCalibration } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { readPoints } from "./points";

const degrees = (value: number | undefined) => (value === undefined ? "–" : `${value.toFixed(1)}°`);
const metres = (value: unknown) => (typeof value === "number" ? `${value.toFixed(2)} m` : "–");

/** Control points, a tracked vehicle or a horizon for one camera: what they say of its pose, by how much they miss, and making it the camera's. */
export function Calibrate({ camera, onApplied }: { camera: Camera; onApplied: () => void }) {
  const { t } = useWords();
  const list = useResource<CameraCalibration[]>(`/cameras/${camera.id}/calibrations`);
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const points = readPoints(text, camera.image_width, camera.image_height);
  const tell = async (path: string, body: unknown, done: () => void) => {
    setBusy(true);
    try {
      await post(`/cameras/${camera.id}/calibrations${path}`, body);
      setProblem(null);
      done();
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    }
    setBusy(false);
    list.reload();
  };
  return (
    <div className="camera-calibrate" data-testid="camera-calibrate">
      <label>
        {t("cameras.points")}
        <textarea
          className="field-input num"
          rows={4}
          placeholder={"x,y,lon,lat\n960,540,120.38215,36.06034"}
          value={text}
          data-testid="camera-points"
          onChange={(event) => setText(event.target.value)}
        />
        <small className="muted">{t("cameras.pointsHint")}</small>
      </label>
      <div className="camera-calibrate-actions">
        <button
          type="button"
          className="btn"
          disabled={busy || points === null}
          onClick={() => void tell("", points, () => setText(""))}
          data-testid="camera-fit"
        >
          {t(busy ? "cameras.fitting" : "cameras.fit")}
        </button>
        {points === null && text.trim() !== "" && <span className="card-problem">{t("cameras.pointsWrong")}</span>}
        {points && (
          <span className="muted">
            {t(
              points.vehicle
                ? "cameras.boxes"
                : points.control.length > 0
                  ? "cameras.controlPoints"
                  : "cameras.horizonPoints",
              {
                n: points.control.length + points.horizon.length + (points.vehicle?.boxes.length ?? 0),
              },
            )}
          </span>
        )}
      </div>
      <ProblemLine problem={problem} />
      {list.resource.data?.some((each) => each.applied_at === null) && (
        <small className="muted">{t("cameras.applyMeans")}</small>
      )}
      <Drawn reading={list} skeleton={<Skeleton rows={1} />} isEmpty={(all) => all.length === 0}>
        {(all) => (
          <Table
            label={t("cameras.calibrations")}
            testId="camera-calibrations"
            rows={all}
            rowKey={(each) => String(each.id)}
            columns={[
              {
                title: t("cameras.calibrations"),
                cell: (each) => (
                  <span className="cell-name">
                    <strong>{t(`cameras.methods.${each.method}`)}</strong>
                    <small className="muted num">
                      {dayTime(each.made_at)} {each.made_by}
                    </small>
                  </span>
                ),
              },
              {
                title: t("cameras.turned"),
                cell: (each) => (
                  <span className="camera-turned num">
                    <span>
                      {t("cameras.azimuth")} {degrees(each.was.azimuth_deg)} →{" "}
                      {degrees(each.pose.azimuth_deg ?? each.was.azimuth_deg)}
                    </span>
                    <span>
                      {t("cameras.pitch")} {degrees(each.was.pitch_deg)} →{" "}
                      {degrees(each.pose.pitch_deg ?? each.was.pitch_deg)}
                    </span>
                  </span>
                ),
              },
              {
                title: t("cameras.error"),
                numeric: true,
                cell: (each) =>
                  each.method === "horizon" ? (
                    degrees(Number(each.fit.rms_deg))
                  ) : (
                    <span title={t("cameras.errorMeans")}>
                      {metres(each.fit.rms_m)} / {metres(each.fit.mean_m)}
                    </span>
                  ),
              },
              {
                title: "",
                cell: (each) =>
                  each.applied_at ? (
                    <span className="muted">{t("cameras.applied")}</span>
                  ) : (
                    <button
                      type="button"
                      className="btn btn-quiet"
                      disabled={busy}
                      onClick={() => void tell(`/${each.id}/apply`, {}, onApplied)}
                      data-testid={`camera-apply-${each.id}`}
                    >
                      {t("cameras.apply")}
                    </button>
                  ),
              },
            ]}
          />
        )}
      </Drawn>
    </div>
  );
}
