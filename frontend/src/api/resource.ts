import { useCallback, useEffect, useRef, useState } from "react";
import { read as readAnswer } from "./client";
import { stream } from "./events";
import { Problem } from "./problem";

/** One of the four drawn states. `stale` still holds the last data with the problem that keeps it from being fresh. */
export type Resource<T> =
  | { state: "loading"; data: null; problem: null; at: null }
  | { state: "ready"; data: T; problem: null; at: number }
  | { state: "stale"; data: T; problem: Problem; at: number }
  | { state: "failed"; data: null; problem: Problem; at: null };

const LOADING = { state: "loading", data: null, problem: null, at: null } as const;

export interface Reading<T> {
  resource: Resource<T>;
  reload: () => void;
  /** Replace the data in place, e.g. after a write answered with the new row. */
  patch: (change: (data: T) => T) => void;
}

const warm = new Map<string, { data: unknown; at: number }>();
const WARM_MS = 60_000;
/** Wait before reading again as the stream begins, so that first readings arrive undisturbed. */
const SETTLE_MS = 1000;

/** What to ask for; a list repeats its parameter. */
export type Query = Record<string, string | readonly string[]>;

function addressOf(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const each of typeof value === "string" ? [value] : value) search.append(key, each);
  }
  const text = search.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** Read ahead, so that the next screen is there at once; a failure is left for the real reading to report. */
export function prefetch(path: string, query: Query = {}): void {
  const address = addressOf(path, query);
  const known = warm.get(address);
  if (known && Date.now() - known.at < WARM_MS) return;
  readAnswer<unknown>(address).then(
    ({ data, keptAt }) => keptAt === null && warm.set(address, { data, at: Date.now() }),
    () => warm.delete(address),
  );
}

/** Forgets what was read ahead. */
export function forgetWarm(): void {
  warm.clear();
}

/** Seconds until the next try after a failure: the poll interval, or 5 s when nothing polls. */
function retryAfter(every: number): number {
  return every > 0 ? Math.min(every, 5) : 5;
}

/** Asks again for as long as something was written while the answer was under way: it may be from before, and would undo what is shown. */
export async function newest<A>(ask: () => Promise<A>, written: () => number): Promise<A> {
  for (;;) {
    const before = written();
    const answer = await ask();
    if (written() === before) return answer;
  }
}

/** A copy kept on this device is old news: it never replaces anything newer, and it says its own time. */
export function keptCopy<T>(old: Resource<T>, data: T, keptAt: number): Resource<T> {
  const problem = Problem.unreachable("kept on this device");
  if (old.at !== null && old.at >= keptAt) return { state: "stale", data: old.data, problem, at: old.at };
  return { state: "stale", data, problem, at: keptAt };
}

/**
 * Read `path` (null: nothing to read), again every `every` seconds (0: never) and on reload.
 * A failure after a success keeps the data and says so; a panel must never read a failure as calm.
 * Read again, too, when the stream begins to count: what happened between the first reading and then is not in it.
 */
export function useResource<T>(path: string | null, query: Query = {}, every = 0): Reading<T> {
  const [resource, setResource] = useState<Resource<T>>(LOADING);
  const [turn, setTurn] = useState(0);
  const address = path === null ? null : addressOf(path, query);
  const shown = useRef<string | null>(null);
  const written = useRef(0);

  useEffect(() => {
    if (address === null) return;
    if (shown.current !== address) {
      shown.current = address;
      const ready = warm.get(address);
      warm.delete(address);
      if (ready && Date.now() - ready.at < WARM_MS) {
        setResource({ state: "ready", data: ready.data as T, problem: null, at: ready.at });
      } else setResource(LOADING);
    }
    const abort = new AbortController();
    let timer = 0;
    const read = async () => {
      let wait = every;
      try {
        const { data, keptAt } = await newest(
          () => readAnswer<T>(address, abort.signal),
          () => written.current,
        );
        if (keptAt === null) setResource({ state: "ready", data, problem: null, at: Date.now() });
        else {
          setResource((old) => keptCopy(old, data, keptAt));
          wait = retryAfter(every);
        }
      } catch (cause) {
        if (abort.signal.aborted) return;
        const problem = cause instanceof Problem ? cause : Problem.unreachable(cause);
        setResource((old) =>
          old.at !== null
            ? { state: "stale", data: old.data, problem, at: old.at }
            : { state: "failed", data: null, problem, at: null },
        );
        wait = problem.status === 0 || problem.status >= 500 ? retryAfter(every) : every;
      }
      if (wait > 0 && !abort.signal.aborted) timer = window.setTimeout(read, wait * 1000);
    };
    void read();
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [address, every, turn]);

  const reload = useCallback(() => setTurn((n) => n + 1), []);
  useEffect(() => {
    let timer = 0;
    const off = stream.whenReset(() => {
      forgetWarm();
      window.clearTimeout(timer);
      timer = window.setTimeout(reload, SETTLE_MS);
    });
    return () => {
      off();
      window.clearTimeout(timer);
    };
  }, [reload]);
  const patch = useCallback((change: (data: T) => T) => {
    written.current += 1;
    setResource((old) => (old.at === null ? old : { ...old, data: change(old.data) }));
  }, []);
  return { resource: path === null ? LOADING : resource, reload, patch };
}
