import { type FormEvent, useState } from "react";
import { intention, post } from "../api/client";
import { useEvents } from "../api/events";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { Lesson, ReviewBudget, Rollout } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { may, useMe } from "../state/session";
import { ShadowCell, ShadowPlaces } from "./ShadowPane";
import { Table } from "./Table";
import "./learning.css";

const percent = (share: number) => `${Math.round(share * 100)}%`;

/** A write, its problem, and whether it is under way. */
function useWrite(done: () => void) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const write = async (path: string, body: unknown, method = "POST") => {
    setBusy(true);
    setProblem(null);
    try {
      await post(path, body, intention(), method);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    } finally {
      setBusy(false);
      done();
    }
  };
  return { busy, problem, write };
}

/** From score to chance, as learnt; the diagonal is a score that can be taken at its word. */
function Curve({ points }: { points: Lesson["curve"] }) {
  const { t } = useWords();
  if (points.length === 0) return <small className="muted">{t("admin.learning.few")}</small>;
  const level = [[0, points[0]?.[1] ?? 0], ...points, [1, points.at(-1)?.[1] ?? 1]];
  return (
    <svg className="score-curve" viewBox="-2 -2 64 36" role="img" aria-label={t("admin.learning.curve")}>
      <line x1="0" y1="32" x2="60" y2="0" className="score-even" />
      <polyline points={level.map(([x = 0, y = 0]) => `${x * 60},${32 - y * 32}`).join(" ")} />
    </svg>
  );
}

/** What verdicts taught of each algorithm: how often it is right, what its scores are worth, where it is weakest. */
export function Lessons() {
  const { t } = useWords();
  const lessons = useResource<Lesson[]>("/learning", {}, 60);
  const place = (key: string) => {
    const [scene = "", light = ""] = key.split("/");
    return `${t(`admin.learning.scene.${scene}`)} · ${t(`admin.learning.light.${light}`)}`;
  };
  const weakest = (lesson: Lesson) => Object.entries(lesson.scenes).sort((a, b) => a[1] - b[1])[0];
  return (
    <>
      <h2>{t("admin.learning.title")}</h2>
      <Drawn
        reading={lessons}
        skeleton={<Skeleton rows={3} height="2rem" />}
        isEmpty={(list) => list.length === 0}
        empty={<Empty title={t("admin.learning.none")} hint={t("admin.learning.noneHint")} />}
      >
        {(list) => (
          <Table
            label={t("admin.learning.title")}
            testId="lessons-table"
            rows={list}
            rowKey={(l) => l.algorithm}
            columns={[
              { title: t("admin.detector"), cell: (l) => <strong>{l.algorithm}</strong> },
              { title: t("admin.learning.labels"), numeric: true, cell: (l) => l.labels },
              {
                title: t("admin.learning.precision"),
                numeric: true,
                cell: (l) => (l.curve.length === 0 ? "—" : percent(l.precision)),
              },
              { title: t("admin.learning.curve"), cell: (l) => <Curve points={l.curve} /> },
              {
                title: t("admin.learning.weakest"),
                cell: (l) => {
                  const worst = weakest(l);
                  return worst ? `${place(worst[0])} ${percent(worst[1])}` : "—";
                },
              },
              { title: t("admin.learning.cameras"), numeric: true, cell: (l) => l.cameras },
              { title: t("admin.updated"), numeric: true, cell: (l) => dayTime(l.fitted_at) },
            ]}
          />
        )}
      </Drawn>
    </>
  );
}

/** Minutes that reviewers have each day; what they do not reach is set aside, one in twenty of it shown by lot. */
export function ReviewMinutes() {
  const { t } = useWords();
  const me = useMe();
  const budget = useResource<ReviewBudget>("/review-budget", {}, 60);
  const { busy, problem, write } = useWrite(budget.reload);
  const save = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget).get("minutes");
    const minutes = typeof given === "string" && given !== "" ? Number(given) : null;
    void write("/review-budget", { minutes_a_day: minutes }, "PUT");
  };
  return (
    <>
      <h2>{t("admin.learning.minutes")}</h2>
      <Drawn reading={budget} skeleton={<Skeleton rows={1} />}>
        {(b) => (
          <div className="minutes" data-testid="review-minutes">
            <p>
              {b.minutes_a_day === null
                ? t("admin.learning.noBudget", { needed: Math.ceil(b.needed) })
                : t("admin.learning.budget", {
                    minutes: Math.round(b.minutes_a_day),
                    needed: Math.ceil(b.needed),
                    aside: b.aside,
                    lots: b.lots,
                    share: percent(b.audit_share),
                  })}
            </p>
            {may(me, "models") && (
              <form onSubmit={save}>
                <label>
                  {t("admin.learning.perDay")}
                  <input
                    className="field-input num"
                    name="minutes"
                    type="number"
                    min="1"
                    max="100000"
                    key={b.minutes_a_day ?? "none"}
                    defaultValue={b.minutes_a_day ?? ""}
                    placeholder={t("admin.learning.all")}
                  />
                </label>
                <button type="submit" className="btn" disabled={busy}>
                  {t("admin.learning.save")}
                </button>
              </form>
            )}
            <ProblemLine problem={problem} />
          </div>
        )}
      </Drawn>
    </>
  );
}

const rate = (part: number | undefined, whole: number | undefined) =>
  whole ? `${part ?? 0}/${whole} · ${percent((part ?? 0) / whole)}` : "—";

/** New versions in shadow and as canaries, with the evidence that they are worse; a worse one goes back by itself. */
export function Rollouts() {
  const { t } = useWords();
  const me = useMe();
  const trials = useResource<Rollout[]>("/rollouts");
  const { busy, problem, write } = useWrite(trials.reload);
  const [open, setOpen] = useState<number | null>(null);
  useEvents(["rollout."], trials.reload);
  const begin = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = Object.fromEntries(["algorithm", "standing", "candidate"].map((name) => [name, form.get(name)]));
    void write("/rollouts", body);
  };
  return (
    <>
      <h2>{t("admin.learning.trials")}</h2>
      {may(me, "models") && (
        <form className="begin-trial" onSubmit={begin} aria-label={t("admin.learning.begin")}>
          {["algorithm", "standing", "candidate"].map((name) => (
            <input
              key={name}
              className="field-input"
              name={name}
              required
              aria-label={t(`admin.learning.${name}`)}
              placeholder={t(`admin.learning.${name}`)}
            />
          ))}
          <button type="submit" className="btn" disabled={busy}>
            {t("admin.learning.begin")}
          </button>
        </form>
      )}
      <ProblemLine problem={problem} />
      <Drawn
        reading={trials}
        skeleton={<Skeleton rows={2} height="2rem" />}
        isEmpty={(list) => list.length === 0}
        empty={<Empty title={t("admin.learning.noTrials")} hint={t("admin.learning.noTrialsHint")} />}
      >
        {(list) => (
          <>
            <Table
              label={t("admin.learning.trials")}
              testId="rollouts-table"
              rows={list}
              rowKey={(r) => String(r.id)}
              columns={[
                {
                  title: t("admin.detector"),
                  cell: (r) => (
                    <span className="cell-name">
                      <strong>{r.algorithm}</strong>
                      <small className="muted">
                        {r.standing} → {r.candidate}
                      </small>
                    </span>
                  ),
                },
                {
                  title: t("admin.state"),
                  cell: (r) => (
                    <span className={r.state === "rolled_back" ? "state-bad" : r.state === "live" ? "state-good" : ""}>
                      {t(`admin.learning.states.${r.state}`, { share: percent(r.share) })}
                    </span>
                  ),
                },
                {
                  title: t("admin.learning.shadow.column"),
                  cell: (r) => (
                    <ShadowCell trial={r} open={open === r.id} toggle={() => setOpen(open === r.id ? null : r.id)} />
                  ),
                },
                {
                  title: t("admin.learning.newRight"),
                  numeric: true,
                  cell: (r) => rate(r.verdicts.new_true, r.verdicts.new),
                },
                {
                  title: t("admin.learning.standingRight"),
                  numeric: true,
                  cell: (r) => rate(r.verdicts.standing_true, r.verdicts.standing),
                },
                {
                  title: t("admin.learning.evidence"),
                  numeric: true,
                  cell: (r) => `${r.evidence < 100 ? r.evidence.toFixed(1) : "> 99"} / ${Math.round(r.limit)}`,
                },
                {
                  title: t("admin.updated"),
                  numeric: true,
                  cell: (r) => dayTime(r.ended_at ?? r.canary_at ?? r.created_at),
                },
                {
                  title: t("admin.learning.step"),
                  cell: (r) => (
                    <span className="trial-steps">
                      {r.actions.map((action) => (
                        <button
                          key={action}
                          type="button"
                          className="btn"
                          disabled={busy}
                          onClick={() => void write(`/rollouts/${r.id}/steps`, { action })}
                        >
                          {t(`admin.learning.steps.${action}`)}
                        </button>
                      ))}
                    </span>
                  ),
                },
              ]}
            />
            {list
              .filter((r) => r.id === open)
              .map((r) => (
                <ShadowPlaces key={r.id} trial={r} />
              ))}
          </>
        )}
      </Drawn>
    </>
  );
}
