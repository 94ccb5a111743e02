import { useEffect, useRef, useState } from "react";
import { intention, post } from "../api/client";
import { Problem } from "../api/problem";
import type { VerdictOut } from "../api/types";
import { mark } from "../state/marks";

export type Verdict = "true" | "false" | "unsure" | "other";

export interface Judging {
  /** The verdict that can still be taken back. */
  last: { id: number; verdict: Verdict; until: number } | null;
  busy: boolean;
  problem: Problem | null;
  judge: (thing: { id: number; version: number }, verdict: Verdict, reason?: string) => Promise<boolean>;
  undo: () => Promise<number | null>;
}

/** Verdicts on alerts or on patches, each undoable for as long as the server says (10 s). */
export function useVerdict(of: "alerts" | "patches" = "alerts"): Judging {
  const [last, setLast] = useState<Judging["last"]>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const running = useRef(false);

  useEffect(() => {
    if (!last) return;
    const timer = window.setTimeout(() => setLast(null), Math.max(0, last.until - Date.now()));
    return () => window.clearTimeout(timer);
  }, [last]);

  const attempt = async <T>(work: () => Promise<T>): Promise<T | null> => {
    if (running.current) return null;
    running.current = true;
    setBusy(true);
    setProblem(null);
    try {
      return await work();
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
      return null;
    } finally {
      running.current = false;
      setBusy(false);
    }
  };

  return {
    last,
    busy,
    problem,
    judge: async (thing, verdict, reason = "") => {
      const sent = Date.now();
      const body = { verdict, reason, version: thing.version };
      const done = await attempt(() =>
        post<Pick<VerdictOut, "undo_until">>(`/${of}/${thing.id}/verdict`, body, intention()),
      );
      if (!done) return false;
      mark("verdict.done", thing.id);
      const serverLeft = Date.parse(done.undo_until) - Date.now();
      const left = serverLeft > 0 && serverLeft <= 10_000 ? serverLeft : 10_000 - (Date.now() - sent);
      setLast({ id: thing.id, verdict, until: Date.now() + left });
      return true;
    },
    undo: async () => {
      if (!last) return null;
      const undone = await attempt(() => post(`/${of}/${last.id}/verdict`, {}, intention(), "DELETE"));
      if (undone === null) return null;
      setLast(null);
      return last.id;
    },
  };
}
