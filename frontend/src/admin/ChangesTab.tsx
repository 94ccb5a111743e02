import { type FormEvent, useState } from "react";
import { intention, post } from "../api/client";
import { useEvents } from "../api/events";
import { Problem } from "../api/problem";
import { type Reading, useResource } from "../api/resource";
import type { Analysis, Scenes, Survey } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayOnly, dayTime } from "../i18n/time";
import { may, useMe } from "../state/session";
import { Table } from "./Table";

type Scene = Scenes["features"][number];

function text(scene: Scene, key: string): string {
  const value = scene.properties[key];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** Asks for an analysis of two scenes, the earlier first. */
function AskSurvey({ analyses, scenes, done }: { analyses: Analysis[]; scenes: Scene[]; done: () => void }) {
  const { t, pick } = useWords();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ask = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem(null);
    try {
      await post(
        "/surveys",
        { analysis: form.get("analysis"), before: form.get("before"), after: form.get("after") },
        intention(),
      );
      done();
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    } finally {
      setBusy(false);
    }
  };
  const options = scenes.map((scene) => (
    <option key={scene.id} value={scene.id}>
      {dayOnly(text(scene, "datetime"))} {text(scene, "title") || scene.id}
    </option>
  ));
  return (
    <form className="ask-survey" onSubmit={(event) => void ask(event)} aria-label={t("admin.run")}>
      <select className="field-input" name="analysis" aria-label={t("admin.analysis")} required>
        {analyses
          .filter((a) => a.available)
          .map((a) => (
            <option key={a.id} value={a.id}>
              {pick(a.title, a.title_en)}
            </option>
          ))}
      </select>
      <select
        className="field-input"
        name="before"
        aria-label={t("admin.before")}
        required
        defaultValue={scenes.at(-1)?.id}
      >
        {options}
      </select>
      <select className="field-input" name="after" aria-label={t("admin.after")} required>
        {options}
      </select>
      <button type="submit" className="btn btn-primary" disabled={busy}>
        {busy ? t("admin.running") : t("admin.run")}
      </button>
      <ProblemLine problem={problem} />
    </form>
  );
}

function Runs({ reading }: { reading: Reading<Survey[]> }) {
  const { t } = useWords();
  return (
    <Drawn reading={reading} isEmpty={(list) => list.length === 0} empty={<Empty title={t("admin.noSurveys")} />}>
      {(list) => (
        <Table
          label={t("admin.surveys")}
          testId="surveys-table"
          rows={list}
          rowKey={(survey) => String(survey.id)}
          columns={[
            { title: t("admin.survey"), cell: (s) => `#${s.id}` },
            { title: t("admin.analysis"), cell: (s) => `${s.analysis} ${s.analysis_version}` },
            { title: t("admin.before"), cell: (s) => <small>{s.before_scene}</small> },
            { title: t("admin.after"), cell: (s) => <small>{s.after_scene}</small> },
            {
              title: t("admin.state"),
              cell: (s) => (
                <span className={s.state === "failed" ? "state-bad" : s.state === "done" ? "state-good" : ""}>
                  {t(`admin.states.${s.state}`)}
                  {s.state === "running" && ` ${Math.round(s.progress * 100)}%`}
                  {s.error && <small>{s.error}</small>}
                </span>
              ),
            },
            {
              title: t("admin.result"),
              cell: (s) => (typeof s.result.patches === "number" ? t("admin.patches", { n: s.result.patches }) : "—"),
            },
            { title: t("admin.updated"), numeric: true, cell: (s) => dayTime(s.finished_at ?? s.created_at) },
          ]}
        />
      )}
    </Drawn>
  );
}

/** Analyses that can be run, the scenes there are, and the runs so far. */
export function ChangesTab() {
  const { t, pick, side } = useWords();
  const me = useMe();
  const analyses = useResource<Analysis[]>("/analyses");
  const scenes = useResource<Scenes>("/scenes");
  const surveys = useResource<Survey[]>("/surveys");
  useEvents(["survey."], () => surveys.reload());
  useEvents(["scene."], () => scenes.reload());
  const list = scenes.resource.data?.features ?? null;
  return (
    <>
      <Drawn reading={analyses} skeleton={<Skeleton rows={3} height="2rem" />}>
        {(found) => (
          <>
            {may(me, "surveys") && list !== null && list.length > 1 && (
              <AskSurvey analyses={found} scenes={list} done={surveys.reload} />
            )}
            <Table
              label={t("admin.analysis")}
              testId="analyses-table"
              rows={found}
              rowKey={(a) => a.id}
              columns={[
                {
                  title: t("admin.analysis"),
                  cell: (a) => (
                    <span className="cell-name">
                      <strong>{pick(a.title, a.title_en)}</strong>
                      <small className="muted">
                        {a.id} {a.version}
                      </small>
                    </span>
                  ),
                },
                {
                  title: t("admin.state"),
                  cell: (a) =>
                    a.available ? (
                      <span className="state-good">{t("admin.available")}</span>
                    ) : (
                      <span className="state-bad">
                        {t("admin.unavailable")}
                        <small>{side(a.reason)}</small>
                      </span>
                    ),
                },
                { title: t("admin.bands"), cell: (a) => <small>{a.bands.join(", ") || t("i18n.all")}</small> },
                { title: t("admin.kinds"), cell: (a) => <small>{a.kind}</small> },
              ]}
            />
          </>
        )}
      </Drawn>
      <h2>{t("admin.surveys")}</h2>
      <Runs reading={surveys} />
      <h2>{t("admin.scenes")}</h2>
      <Drawn
        reading={scenes}
        isEmpty={(found) => found.features.length === 0}
        empty={<Empty title={t("admin.noScenes")} />}
      >
        {(found) => (
          <Table
            label={t("admin.scenes")}
            testId="scenes-table"
            rows={found.features}
            rowKey={(scene) => scene.id}
            columns={[
              {
                title: t("admin.scenes"),
                cell: (scene) => (
                  <span className="cell-name">
                    <strong>{text(scene, "title") || scene.id}</strong>
                    {scene.properties["hdq:simulated"] === true && <SimulatedTag />}
                    <small className="muted">{scene.id}</small>
                  </span>
                ),
              },
              { title: t("admin.taken"), numeric: true, cell: (scene) => dayOnly(text(scene, "datetime")) },
              {
                title: t("admin.gsd"),
                numeric: true,
                cell: (scene) => (text(scene, "gsd") ? `${text(scene, "gsd")} m` : "—"),
              },
            ]}
          />
        )}
      </Drawn>
    </>
  );
}
