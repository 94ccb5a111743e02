import Dexie, { type EntityTable } from "dexie";
import { useEffect, useSyncExternalStore } from "react";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import type { EvidenceOut, ReportOut } from "../api/types";

/** A picture as the phone took it; `sha256` is computed here, so that a changed file would be noticed. */
export interface Photo {
  blob: Blob;
  takenAt: string;
  sha256: string;
}

/** A report that waits on the phone. `key` is its name for ever: the server takes each key once. */
export interface Waiting {
  key: string;
  category: string;
  title: string;
  lon: number;
  lat: number;
  accuracy: number;
  recordedAt: string;
  note: string;
  photos: Photo[];
  /** What the server said when it refused the report; null while it merely waits. */
  refusal: string | null;
  owner: number;
}

export interface OutboxState {
  waiting: Waiting[];
  sending: boolean;
  /** The case of the report sent last. */
  last: ReportOut | null;
}

const base = new Dexie("hdq-outbox") as Dexie & { reports: EntityTable<Waiting, "key"> };
base.version(1).stores({ reports: "key, recordedAt" });

const RETRY_MS = 8_000;
const LOCK = "hdq-outbox";

let state: OutboxState = { waiting: [], sending: false, last: null };
const watchers = new Set<() => void>();

function set(change: Partial<OutboxState>): void {
  state = { ...state, ...change };
  for (const watcher of watchers) watcher();
}

async function read(owner: number): Promise<void> {
  const all = await base.reports.orderBy("recordedAt").toArray();
  set({ waiting: all.filter((report) => report.owner === owner) });
}

/** Stores a report before anything is sent: what the phone has confirmed survives being closed. */
export async function keep(report: Waiting): Promise<void> {
  await base.reports.put(report);
  await read(report.owner);
}

export async function discard(report: Waiting): Promise<void> {
  await base.reports.delete(report.key);
  await read(report.owner);
}

/**
 * True for refusals that sending again cannot heal; anything else waits for a better moment. A request that is still being
 * handled (its answer was lost on the way, or its server was killed) is none: its key gives the answer in a moment.
 */
export function isFinal(problem: Problem): boolean {
  if (problem.type === "/problems/in-progress") return false;
  return problem.status >= 400 && problem.status < 500 && ![401, 408, 425, 429].includes(problem.status);
}

async function sendOne(report: Waiting): Promise<ReportOut> {
  const evidence: string[] = [];
  for (const [index, photo] of report.photos.entries()) {
    const form = new FormData();
    form.set("file", photo.blob, `${photo.sha256.slice(0, 12)}.jpg`);
    form.set("taken_at", photo.takenAt);
    form.set("lon", String(report.lon));
    form.set("lat", String(report.lat));
    form.set("accuracy_m", String(report.accuracy));
    const stored = await post<EvidenceOut>("/evidence", form, `${report.key}-photo-${index}`);
    evidence.push(stored.sha256);
  }
  return post<ReportOut>(
    "/reports",
    {
      client_key: report.key,
      category_code: report.category,
      position: { lon: report.lon, lat: report.lat, accuracy_m: report.accuracy },
      recorded_at: report.recordedAt,
      note: report.note,
      evidence,
    },
    report.key,
  );
}

/** Sends what waits, oldest first, one tab at a time; stops at the first thing that only time can heal. */
export async function flush(owner: number): Promise<void> {
  await navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    await read(owner);
    set({ sending: true });
    try {
      for (const report of state.waiting.filter((r) => r.refusal === null)) {
        try {
          const answer = await sendOne(report);
          await base.reports.delete(report.key);
          set({ last: answer });
        } catch (cause) {
          const problem = cause instanceof Problem ? cause : Problem.unreachable(cause);
          if (!isFinal(problem)) return;
          await base.reports.update(report.key, { refusal: problem.detail || problem.title });
        }
      }
    } finally {
      await read(owner);
      set({ sending: false });
    }
  });
}

/** Sends a refused report once more, after the cause was mended. */
export async function again(report: Waiting): Promise<void> {
  await base.reports.update(report.key, { refusal: null });
  await flush(report.owner);
}

/** The outbox of one person, kept flowing while the page is open: at start, when the signal returns, when the page is seen again. */
export function useOutbox(owner: number): OutboxState {
  useEffect(() => {
    const go = () => void flush(owner);
    const seen = () => {
      if (document.visibilityState === "visible") go();
    };
    go();
    const timer = window.setInterval(() => {
      if (state.waiting.some((report) => report.refusal === null)) go();
    }, RETRY_MS);
    window.addEventListener("online", go);
    document.addEventListener("visibilitychange", seen);
    return () => {
      window.clearInterval(timer);
      window.removeEventListener("online", go);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [owner]);
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => state,
  );
}
