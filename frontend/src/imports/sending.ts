import { intention, post, raw } from "../api/client";
import { Problem } from "../api/problem";
import type { ImportJob } from "../api/types";
import { Sha256 } from "./sha256";

/** What a person says about a file: fields of POST /api/imports; empty ones are not sent. */
export type Declared = Readonly<Record<string, string>>;

/** A file on its way to the server. `asleep`: begun before a reload, its bytes must be chosen again. `offline`: waits for the connection and goes on by itself. */
export type Stage = "queued" | "hashing" | "sending" | "paused" | "offline" | "asleep" | "handing" | "failed";

export interface Sending {
  key: string;
  name: string;
  size: number;
  declared: Declared;
  stage: Stage;
  /** Bytes hashed or received, of `size`. */
  done: number;
  upload: string | null;
  sha256: string | null;
  problem: Problem | null;
}

const KEPT = "hdq.uploads";
const HASHED_AT_ONCE = 2 * 1024 * 1024;
const PART_MIN = 256 * 1024;
const PART_MAX = 8 * 1024 * 1024;
const OFFLINE_WAIT_MS = [1000, 2000, 4000, 8000] as const;

/** Parts of about a twentieth, so that progress moves; small enough that a lost one costs little. */
export function partSize(size: number): number {
  return Math.min(PART_MAX, Math.max(PART_MIN, Math.ceil(size / 20)));
}

class Stopped extends Error {}

/** Every upload of this browser, one at a time; it outlives the page it was begun on, and what was begun outlives the browser. */
export class Sendings {
  private list: readonly Sending[] = [];
  private readonly files = new Map<string, File>();
  private readonly watchers = new Set<() => void>();
  private readonly handed = new Set<(job: ImportJob) => void>();
  private abort: AbortController | null = null;
  private running = false;

  constructor(private readonly store: Pick<Storage, "getItem" | "setItem"> = window.localStorage) {
    this.list = this.read();
  }

  readonly snapshot = (): readonly Sending[] => this.list;
  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };
  /** Called with each import that a finished upload became. */
  readonly whenHanded = (listener: (job: ImportJob) => void): (() => void) => {
    this.handed.add(listener);
    return () => this.handed.delete(listener);
  };

  /** Takes a file with its declaration; one that was begun before a reload goes on where it stopped, as it was declared then. */
  add(file: File, declared: Declared): string {
    const asleep = this.list.find((s) => s.stage === "asleep" && s.name === file.name && s.size === file.size);
    const key = asleep?.key ?? intention();
    this.files.set(key, file);
    if (asleep) this.change(key, { stage: "queued" });
    else {
      const { name, size } = file;
      this.put([
        ...this.list,
        { key, name, size, declared, stage: "queued", done: 0, upload: null, sha256: null, problem: null },
      ]);
    }
    void this.run();
    return key;
  }

  pause(key: string): void {
    const current = this.at(key);
    if (!current || !["queued", "hashing", "sending", "offline"].includes(current.stage)) return;
    this.change(key, { stage: "paused" });
    this.abort?.abort();
  }

  /** Goes on after a pause or a failure. */
  resume(key: string): void {
    this.change(key, { stage: this.files.has(key) ? "queued" : "asleep", problem: null });
    void this.run();
  }

  /** Lets go of an upload and of what the server has of it. */
  cancel(key: string): void {
    const gone = this.at(key);
    this.put(this.list.filter((s) => s.key !== key));
    this.files.delete(key);
    this.abort?.abort();
    if (gone?.upload) void raw(`/uploads/${gone.upload}`, { method: "DELETE" }).catch(() => undefined);
  }

  private at(key: string): Sending | undefined {
    return this.list.find((s) => s.key === key);
  }

  private async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    try {
      for (let next = this.next(); next; next = this.next()) await this.one(next.key);
    } finally {
      this.running = false;
    }
  }

  private next(): Sending | undefined {
    return this.list.find((s) => s.stage === "queued");
  }

  private async one(key: string): Promise<void> {
    this.abort = new AbortController();
    for (let failures = 0; ; ) {
      try {
        await this.attempt(key);
        return;
      } catch (cause) {
        const now = this.at(key);
        if (cause instanceof Stopped || !now || now.stage === "paused" || this.abort.signal.aborted) return;
        const problem = cause instanceof Problem ? cause : Problem.unreachable(cause);
        const elsewhere = problem.status === 409 && "offset" in problem.members;
        const passing = problem.status === 0 || problem.status === 429 || problem.status >= 502 || elsewhere;
        if (!passing) {
          const gone = problem.status === 404 && now.upload !== null;
          this.change(key, { stage: "failed", problem, ...(gone ? { upload: null, done: 0 } : {}) });
          return;
        }
        this.change(key, { stage: "offline", problem });
        const pause = OFFLINE_WAIT_MS[Math.min(failures++, OFFLINE_WAIT_MS.length - 1)] as number;
        await this.rest(pause);
        if (this.at(key)?.stage !== "offline") return;
      }
    }
  }

  /** Waits, or less when the browser says that the connection is back or somebody pauses. */
  private rest(pause: number): Promise<void> {
    return new Promise((wake) => {
      const done = () => {
        window.clearTimeout(timer);
        window.removeEventListener("online", done);
        wake();
      };
      const timer = window.setTimeout(done, pause);
      window.addEventListener("online", done);
      this.abort?.signal.addEventListener("abort", done, { once: true });
    });
  }

  private async attempt(key: string): Promise<void> {
    const file = this.files.get(key);
    if (!file) throw new Stopped();
    const digest = await this.hash(key, file);
    const known = this.still(key);
    if (known.sha256 !== null && known.sha256 !== digest && known.upload !== null) {
      void raw(`/uploads/${known.upload}`, { method: "DELETE" }).catch(() => undefined);
      this.change(key, { upload: null, done: 0 });
    }
    this.change(key, { sha256: digest });
    let upload = this.still(key).upload;
    let offset = 0;
    if (upload === null) {
      const form = new FormData();
      form.set("name", file.name);
      form.set("size_bytes", String(file.size));
      form.set("sha256", digest);
      upload = (await post<{ id: string }>("/uploads", form)).id;
      this.change(key, { upload });
    } else {
      const answer = await raw(`/uploads/${upload}`, { method: "HEAD" });
      offset = Number(answer.headers.get("Upload-Offset") ?? 0);
    }
    this.change(key, { stage: "sending", done: offset, problem: null });
    const part = partSize(file.size);
    while (offset < file.size) {
      this.still(key);
      const answer = await raw(`/uploads/${upload}`, {
        method: "PATCH",
        headers: { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) },
        body: file.slice(offset, offset + part),
        signal: this.abort?.signal,
      });
      offset = Number(answer.headers.get("Upload-Offset") ?? offset + part);
      this.change(key, { done: Math.min(offset, file.size) });
    }
    this.still(key);
    this.change(key, { stage: "handing" });
    const form = new FormData();
    for (const [name, value] of Object.entries(known.declared)) if (value !== "") form.set(name, value);
    form.set("upload", upload);
    const job = await post<ImportJob>("/imports", form, intention());
    this.files.delete(key);
    this.put(this.list.filter((s) => s.key !== key));
    for (const listener of this.handed) listener(job);
  }

  private async hash(key: string, file: File): Promise<string> {
    const before = this.still(key);
    if (before.sha256 !== null && before.stage === "offline") return before.sha256;
    this.change(key, { stage: "hashing", done: 0 });
    const digest = new Sha256();
    for (let at = 0; at < file.size; at += HASHED_AT_ONCE) {
      digest.update(new Uint8Array(await file.slice(at, at + HASHED_AT_ONCE).arrayBuffer()));
      this.still(key);
      this.change(key, { done: Math.min(at + HASHED_AT_ONCE, file.size) });
    }
    return digest.digest();
  }

  /** The upload as it is now; stops the work on one that was paused or cancelled. */
  private still(key: string): Sending {
    const now = this.at(key);
    if (!now || now.stage === "paused") throw new Stopped();
    return now;
  }

  private change(key: string, change: Partial<Sending>): void {
    this.put(this.list.map((s) => (s.key === key ? { ...s, ...change } : s)));
  }

  private put(list: readonly Sending[]): void {
    this.list = list;
    const kept = list
      .filter((s) => s.upload !== null)
      .map(({ key, name, size, declared, done, upload, sha256 }) => ({
        key,
        name,
        size,
        declared,
        done,
        upload,
        sha256,
      }));
    this.store.setItem(KEPT, JSON.stringify(kept));
    for (const watcher of this.watchers) watcher();
  }

  private read(): Sending[] {
    try {
      const kept: unknown = JSON.parse(this.store.getItem(KEPT) ?? "[]");
      if (!Array.isArray(kept)) return [];
      return kept.map((each: Omit<Sending, "stage" | "problem">) => ({ ...each, stage: "asleep", problem: null }));
    } catch {
      return [];
    }
  }
}
