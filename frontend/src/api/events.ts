import { useEffect, useRef, useSyncExternalStore } from "react";
import { StreamParser } from "./sse";

/** One thing that happened, as GET /api/events sends it. `kind` is `noun.verb`. */
export interface LiveEvent {
  id: number;
  kind: string;
  entity_id: string;
  region_code: string;
  created_at: string;
  payload: Record<string, unknown>;
}

export type Health = "idle" | "connecting" | "live" | "broken";
export interface StreamState {
  health: Health;
  /** When the last byte came (heartbeats included), epoch ms. */
  heardAt: number | null;
  /** When the stream broke, epoch ms. */
  brokenAt: number | null;
  lastId: number;
}

/** Silence after which the stream counts as broken: the server beats every 10 s. */
export const SILENCE_MS = 14_000;
const RETRY_MS = [500, 1000, 2000, 4000] as const;

type Listener = (event: LiveEvent) => void;

/**
 * The live stream: one for the whole client, read with fetch so that heartbeats are seen and a dead line is noticed.
 * It resumes from the last id it saw; an id seen before is dropped, so nothing is lost and nothing comes twice.
 */
export class EventStream {
  private readonly listeners = new Set<Listener>();
  private readonly watchers = new Set<() => void>();
  private readonly resets = new Set<(first: boolean) => void>();
  private state: StreamState = { health: "idle", heardAt: null, brokenAt: null, lastId: -1 };
  private abort: AbortController | null = null;
  private watchdog = 0;
  private failures = 0;

  constructor(
    private readonly address: string,
    private readonly fetcher: typeof fetch = (...args) => fetch(...args),
  ) {}

  readonly snapshot = (): StreamState => this.state;

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Calls `listener` when the count begins: at the first hello (`first`: what was read before it may have changed unheard),
   * and when the server's count went back (a new database). What was read before must be read again.
   */
  whenReset(listener: (first: boolean) => void): () => void {
    this.resets.add(listener);
    return () => this.resets.delete(listener);
  }

  start(): void {
    if (this.abort) return;
    this.abort = new AbortController();
    void this.run(this.abort.signal);
  }

  stop(): void {
    this.abort?.abort();
    this.abort = null;
    window.clearTimeout(this.watchdog);
    this.set({ health: "idle" });
  }

  private set(change: Partial<StreamState>): void {
    this.state = { ...this.state, ...change };
    for (const watcher of this.watchers) watcher();
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const line = new AbortController();
      const end = () => line.abort();
      signal.addEventListener("abort", end, { once: true });
      try {
        if (this.state.health !== "broken") this.set({ health: "connecting" });
        await this.read(line);
      } catch {
        // The reason does not matter here: whatever ended the line, it is broken until bytes come again.
      } finally {
        signal.removeEventListener("abort", end);
        window.clearTimeout(this.watchdog);
      }
      if (signal.aborted) return;
      this.set({ health: "broken", brokenAt: this.state.brokenAt ?? Date.now() });
      const wait = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)] ?? 4000;
      await new Promise((resolve) => window.setTimeout(resolve, wait));
    }
  }

  private async read(line: AbortController): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.state.lastId >= 0) headers["Last-Event-ID"] = String(this.state.lastId);
    this.heard(line, false);
    const response = await this.fetcher(this.address, {
      headers,
      credentials: "same-origin",
      signal: line.signal,
      cache: "no-store",
    });
    if (!response.ok || !response.body) throw new Error(`stream refused with ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new StreamParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.heard(line, true);
      for (const message of parser.push(value)) this.take(message.event, message.data);
    }
  }

  private heard(line: AbortController, alive: boolean): void {
    window.clearTimeout(this.watchdog);
    this.watchdog = window.setTimeout(() => line.abort(), SILENCE_MS);
    if (!alive) return;
    this.failures = 0;
    const now = Date.now();
    if (this.state.health !== "live" || now - (this.state.heardAt ?? 0) > 1000) {
      this.set({ health: "live", heardAt: now, brokenAt: null });
    }
  }

  private take(kind: string, data: string): void {
    const body = JSON.parse(data) as LiveEvent & { last_id?: number };
    if (kind === "hello") {
      const last = body.last_id ?? 0;
      const before = this.state.lastId;
      if (before >= 0 && last >= before) return;
      this.set({ lastId: last });
      for (const reset of this.resets) aside(() => reset(before < 0));
      return;
    }
    if (typeof body.id !== "number" || body.id <= this.state.lastId) return;
    this.set({ lastId: body.id });
    for (const listener of this.listeners) aside(() => listener(body));
  }
}

/** One listener's fault is told to the window, and stops neither the others nor the stream. */
function aside(work: () => void): void {
  try {
    work();
  } catch (cause) {
    window.setTimeout(() => {
      throw cause;
    });
  }
}

export const stream = new EventStream("/api/events");

export function useStream(): StreamState {
  return useSyncExternalStore(stream.watch, stream.snapshot);
}

/** Call `handler` for each event whose kind starts with one of `nouns` (`alert.` or `alert.opened`). */
export function useEvents(nouns: readonly string[], handler: Listener): void {
  const now = useRef(handler);
  now.current = handler;
  const key = nouns.join(" ");
  useEffect(() => {
    const wanted = key.split(" ");
    return stream.listen((event) => {
      if (wanted.some((noun) => event.kind.startsWith(noun))) now.current(event);
    });
  }, [key]);
}
