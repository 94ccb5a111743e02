import { describe, expect, it, vi } from "vitest";
import { EventStream, type LiveEvent } from "./events";
import { StreamParser } from "./sse";

function event(id: number): string {
  const body = { id, kind: "alert.opened", entity_id: "1", region_code: "3702", created_at: "", payload: {} };
  return `id: ${id}\nevent: alert.opened\ndata: ${JSON.stringify(body)}\n\n`;
}

function body(text: string): Response {
  return new Response(new Blob([text]).stream(), { headers: { "Content-Type": "text/event-stream" } });
}

describe("stream parser", () => {
  it("takes messages cut anywhere", () => {
    const text = `: beat\n\n${event(7)}data: a\ndata: b\n\n`;
    for (let cut = 0; cut <= text.length; cut++) {
      const parser = new StreamParser();
      const found = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
      expect(found.map((m) => m.event)).toEqual(["alert.opened", "message"]);
      expect(found[1]?.data).toBe("a\nb");
    }
  });
});

describe("event stream", () => {
  it("resumes from the last id and drops what it has seen", async () => {
    const asked: (string | undefined)[] = [];
    const answers = [`event: hello\ndata: {"now":"","last_id":4}\n\n${event(5)}${event(6)}`, `${event(6)}${event(7)}`];
    const fetcher = vi.fn(async (_url: unknown, init?: RequestInit) => {
      asked.push(((init?.headers ?? {}) as Record<string, string>)["Last-Event-ID"]);
      const text = answers.shift();
      if (text === undefined) return new Promise<Response>(() => undefined);
      return body(text);
    });
    const stream = new EventStream("/api/events", fetcher as unknown as typeof fetch);
    const seen: LiveEvent[] = [];
    const states: string[] = [];
    stream.listen((e) => seen.push(e));
    stream.watch(() => states.push(stream.snapshot().health));
    stream.start();
    await vi.waitFor(() => expect(fetcher).toHaveBeenCalledTimes(3), { timeout: 4000 });
    stream.stop();
    expect(seen.map((e) => e.id)).toEqual([5, 6, 7]);
    expect(asked).toEqual([undefined, "6", "7"]);
    expect(states).toContain("live");
    expect(states).toContain("broken");
  });
  it("starts over when the server's counter went back", async () => {
    const answers = [`event: hello\ndata: {"last_id":90}\n\n`, `event: hello\ndata: {"last_id":2}\n\n${event(3)}`];
    const fetcher = async () => {
      const text = answers.shift();
      return text === undefined ? new Promise<Response>(() => undefined) : body(text);
    };
    const stream = new EventStream("/api/events", fetcher as unknown as typeof fetch);
    const seen: number[] = [];
    const reset = vi.fn();
    stream.whenReset(reset);
    stream.listen((e) => seen.push(e.id));
    stream.start();
    await vi.waitFor(() => expect(seen).toEqual([3]), { timeout: 4000 });
    stream.stop();
    expect(reset.mock.calls).toEqual([[true], [false]]);
  });
  it("gives an event to every listener though one of them fails", async () => {
    const answers = [`event: hello\ndata: {"last_id":4}\n\n${event(5)}${event(6)}`];
    const fetcher = vi.fn(async () => {
      const text = answers.shift();
      return text === undefined ? new Promise<Response>(() => undefined) : body(text);
    });
    const told = vi.spyOn(window, "setTimeout");
    const stream = new EventStream("/api/events", fetcher as unknown as typeof fetch);
    const seen: number[] = [];
    let faults: (() => void)[] = [];
    told.mockImplementation(((work: () => void, wait?: number) => {
      if (wait === undefined) faults.push(work);
      return 0;
    }) as unknown as typeof window.setTimeout);
    stream.listen(() => {
      throw new Error("a panel failed");
    });
    stream.listen((e) => seen.push(e.id));
    stream.start();
    await vi.waitFor(() => expect(seen).toEqual([5, 6]));
    stream.stop();
    told.mockRestore();
    expect(faults).toHaveLength(2);
    expect(faults[0]).toThrow("a panel failed");
    faults = [];
  });
});
