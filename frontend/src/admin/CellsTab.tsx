import type { Position } from "geojson";
import { useCallback, useEffect, useMemo, useState } from "react";
import { get, intention, post } from "../api/client";
import { useEvents } from "../api/events";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { CellChange, CellOut, CellPage, CellPlan } from "../api/types";
import { Drawn, Empty } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { formatArea } from "../map/units";
import { may, useMe } from "../state/session";
import { type Box, CellMap, type Tool } from "./CellMap";
import { type Action, bounds, cellFeatures, choose, planFeatures, ready, shapeOf, withRing } from "./cells";
import { Table } from "./Table";
import "./cells.css";

const KINDS = ["management", "unit", "evaluation"] as const;
const ACTIONS = ["split", "merge", "redraw"] as const;
/** Below this zoom a view holds more grids than a hand can choose from. */
const NEAR = 12;

/** The grids of the view, and choosing, planning and changing them. */
export function CellsTab() {
  const { t, side, tongue } = useWords();
  const me = useMe();
  const editor = may(me, "cells");
  const [kind, setKind] = useState<(typeof KINDS)[number]>("management");
  const [on, setOn] = useState("");
  const [view, setView] = useState<Box | null>(null);
  const [cells, setCells] = useState<CellPage | null>(null);
  const [turn, setTurn] = useState(0);
  const [action, setAction] = useState<Action>("split");
  const [chosen, setChosen] = useState<number[]>([]);
  const [drawing, setDrawing] = useState(false);
  const [line, setLine] = useState<Position[]>([]);
  const [moved, setMoved] = useState<Record<number, Position[]>>({});
  const [follow, setFollow] = useState(true);
  const [effective, setEffective] = useState("");
  const [note, setNote] = useState("");
  const [plan, setPlan] = useState<CellPlan | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<CellChange | null>(null);
  const [focus, setFocus] = useState<Box | null>(null);
  const changes = useResource<CellChange[]>("/cells/changes");

  const undraw = useCallback(() => {
    setDrawing(false);
    setLine([]);
    setMoved({});
    setPlan(null);
    setProblem(null);
  }, []);
  const restart = useCallback(() => {
    undraw();
    setChosen([]);
  }, [undraw]);

  useEvents(["cell."], () => {
    setTurn((n) => n + 1);
    changes.reload();
  });

  const [far, setFar] = useState(false);
  const look = useCallback((box: Box, zoom: number) => {
    setFar(zoom < NEAR);
    setView(zoom < NEAR ? null : box);
  }, []);
  useEffect(() => {
    if (!view) return;
    const abort = new AbortController();
    get<CellPage>("/cells", { bbox: view.join(), kind, on }, abort.signal)
      .then(setCells)
      .catch((cause) => {
        if (!abort.signal.aborted) setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
      });
    return () => abort.abort();
  }, [view, kind, on, turn]);

  const items = cells?.items;
  const picked = useMemo(() => chosen.flatMap((id) => items?.find((cell) => cell.id === id) ?? []), [chosen, items]);
  const drawnCells = useMemo(() => cellFeatures(items ?? [], chosen), [items, chosen]);
  const drawnPlan = useMemo(() => planFeatures(plan), [plan]);
  const tool: Tool = !drawing ? "choose" : action === "split" ? "line" : action === "redraw" ? "border" : "choose";

  const wish = () => ({
    action,
    ids: chosen,
    effective: effective === "" ? null : effective,
    line: action === "split" ? line : null,
    shapes:
      action === "redraw"
        ? picked.flatMap((cell) => {
            const ring = moved[cell.id];
            return ring ? [{ id: cell.id, geometry: withRing(shapeOf(cell), ring) }] : [];
          })
        : [],
    follow,
    note,
  });
  const ask = async (path: "/cells/plan" | "/cells/changes") => {
    setBusy(true);
    setProblem(null);
    try {
      if (path === "/cells/plan") setPlan(await post<CellPlan>(path, wish()));
      else {
        setDone(await post<CellChange>(path, wish(), intention()));
        restart();
        setNote("");
        setTurn((n) => n + 1);
        changes.reload();
      }
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    } finally {
      setBusy(false);
    }
  };
  const sayCell = (cell: CellOut) => `${cell.name} ${cell.code}`;
  const complete = ready(action, picked.length, line.length, Object.keys(moved).length);
  const hint = far
    ? "closer"
    : picked.length === 0
      ? `choose_${action}`
      : drawing
        ? `draw_${action}`
        : complete
          ? "look"
          : `next_${action}`;

  return (
    <>
      <div className="cell-editor">
        <CellMap
          cells={drawnCells}
          plan={drawnPlan}
          tool={tool}
          edited={picked}
          focus={focus}
          onView={look}
          onChoose={(id) => {
            setPlan(null);
            setDone(null);
            if (editor) setChosen((old) => choose(action, old, id));
          }}
          onLine={(drawn) => {
            setLine(drawn);
            setPlan(null);
          }}
          onBorder={(id, ring) => {
            setMoved((old) => ({ ...old, [id]: ring }));
            setPlan(null);
          }}
        />
        <div className="cell-side">
          <div className="cell-asked">
            <label>
              {t("admin.cells.kind")}
              <select
                className="field-input"
                value={kind}
                onChange={(event) => {
                  setKind(event.target.value as typeof kind);
                  restart();
                }}
              >
                {KINDS.map((each) => (
                  <option key={each} value={each}>
                    {t(`admin.cells.kinds.${each}`)}
                  </option>
                ))}
              </select>
            </label>
            <label>
              {t("admin.cells.on")}
              <input
                className="field-input"
                type="date"
                value={on}
                onChange={(event) => {
                  setOn(event.target.value);
                  restart();
                }}
              />
            </label>
          </div>
          {items?.some((cell) => cell.simulated) && <SimulatedTag />}
          {cells?.truncated && <p className="muted">{t("admin.cells.truncated")}</p>}
          {editor && (
            <>
              <div className="cell-actions" role="group" aria-label={t("admin.cells.action")}>
                {ACTIONS.map((each) => (
                  <button
                    key={each}
                    type="button"
                    className="btn"
                    aria-pressed={each === action}
                    data-testid={`cell-${each}`}
                    onClick={() => {
                      setAction(each);
                      restart();
                    }}
                  >
                    {t(`admin.cells.actions.${each}`)}
                  </button>
                ))}
              </div>
              <p role="status" className="cell-hint" data-testid="cell-hint">
                {t(`admin.cells.hints.${hint}`)}
              </p>
              <ul className="cell-chosen">
                {picked.map((cell) => (
                  <li key={cell.id}>
                    {sayCell(cell)}
                    <small className="muted"> {t("admin.cells.since", { day: cell.since ?? "—" })}</small>
                  </li>
                ))}
              </ul>
              {action !== "merge" && picked.length > 0 && (
                <button
                  type="button"
                  className="btn"
                  aria-pressed={drawing}
                  data-testid="cell-draw"
                  onClick={() => (drawing ? undraw() : setDrawing(true))}
                >
                  {t(drawing ? "admin.cells.undraw" : `admin.cells.begin_${action}`)}
                </button>
              )}
              {action === "redraw" && (
                <label className="cell-follow">
                  <input type="checkbox" checked={follow} onChange={(event) => setFollow(event.target.checked)} />
                  {t("admin.cells.follow")}
                </label>
              )}
              <label>
                {t("admin.cells.effective")}
                <input
                  className="field-input"
                  type="date"
                  value={effective}
                  onChange={(event) => setEffective(event.target.value)}
                />
              </label>
              <label>
                {t("admin.cells.note")}
                <input
                  className="field-input"
                  maxLength={500}
                  value={note}
                  onChange={(event) => setNote(event.target.value)}
                />
              </label>
              <div className="cell-actions">
                <button
                  type="button"
                  className="btn"
                  disabled={!complete || busy}
                  data-testid="cell-plan"
                  onClick={() => void ask("/cells/plan")}
                >
                  {t("admin.cells.plan")}
                </button>
                <button
                  type="button"
                  className="btn btn-primary"
                  disabled={!plan?.possible || busy}
                  data-testid="cell-make"
                  onClick={() => void ask("/cells/changes")}
                >
                  {t("admin.cells.make")}
                </button>
                <button type="button" className="btn btn-quiet" onClick={restart}>
                  {t("admin.cells.reset")}
                </button>
              </div>
            </>
          )}
          <ProblemLine problem={problem} />
          {done && (
            <p role="status" className="state-good" data-testid="cell-done">
              {t(done.applied ? "admin.cells.done" : "admin.cells.planned", { n: done.id, day: done.effective })}{" "}
              {Object.entries(done.moved ?? {})
                .filter(([, n]) => n > 0)
                .map(([table, n]) => t(`admin.cells.moved.${table}`, { n }))
                .join(" · ")}
            </p>
          )}
          {plan && (
            <div className="cell-plan" data-testid="cell-plan-result">
              <strong className={plan.possible ? "state-good" : "state-bad"}>
                {t(plan.possible ? "admin.cells.possible" : "admin.cells.impossible")}
              </strong>
              <ul>
                {plan.after.map((cell) => (
                  <li key={cell.code}>
                    {cell.name} {cell.code} · {formatArea(cell.area_m2, tongue)}
                  </li>
                ))}
              </ul>
              <ul>
                {plan.objections.map((objection, i) => (
                  <li key={i}>
                    <button
                      type="button"
                      className={`btn btn-quiet ${objection.blocking ? "state-bad" : "muted"}`}
                      onClick={() => setFocus(bounds(shapeOf(objection)))}
                    >
                      {side(objection.detail)}
                      {objection.area_m2 > 0 && ` · ${formatArea(objection.area_m2, tongue)}`}
                    </button>
                    <small className="muted">{side(objection.remedy)}</small>
                  </li>
                ))}
              </ul>
              <small className="muted">{t("admin.cells.tolerance", { cm: plan.tolerance_m * 100 })}</small>
            </div>
          )}
        </div>
      </div>
      <h2>{t("admin.cells.changes")}</h2>
      <Drawn
        reading={changes}
        isEmpty={(list) => list.length === 0}
        empty={<Empty title={t("admin.cells.noChanges")} />}
      >
        {(list) => (
          <Table
            label={t("admin.cells.changes")}
            testId="cell-changes"
            rows={list}
            rowKey={(change) => String(change.id)}
            columns={[
              { title: t("admin.cells.action"), cell: (c) => t(`admin.cells.actions.${c.action}`) },
              { title: t("admin.cells.kind"), cell: (c) => t(`admin.cells.kinds.${c.kind}`) },
              { title: t("admin.before"), cell: (c) => <small>{c.before.join(", ")}</small> },
              { title: t("admin.after"), cell: (c) => <small>{c.after.join(", ")}</small> },
              { title: t("admin.cells.effective"), numeric: true, cell: (c) => c.effective },
              { title: t("admin.state"), cell: (c) => t(c.applied ? "admin.cells.inForce" : "admin.cells.waiting") },
              { title: t("admin.cells.note"), cell: (c) => c.note },
            ]}
          />
        )}
      </Drawn>
    </>
  );
}
