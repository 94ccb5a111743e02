import { createHash } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { partSize, Sendings } from "./sending";
import { Sha256 } from "./sha256";

const kept = new Map<string, string>();
const store = {
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => void kept.set(key, value),
};

/** A server that takes parts; `fail` may answer instead. */
function server(fail: (method: string, path: string) => Response | Error | null = () => null) {
  const state = { bytes: 0, sent: [] as number[], imports: [] as FormData[], deleted: 0 };
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const refused = fail(init.method ?? "GET", path);
    if (refused instanceof Error) throw refused;
    if (refused) return refused;
    if (init.method === "POST" && path === "/api/uploads") return Response.json({ id: "u1" }, { status: 201 });
    if (init.method === "HEAD")
      return new Response(null, { status: 200, headers: { "Upload-Offset": String(state.bytes) } });
    if (init.method === "PATCH") {
      state.sent.push(Number(new Headers(init.headers).get("Upload-Offset")));
      state.bytes += (init.body as Blob).size;
      return new Response(null, { status: 204, headers: { "Upload-Offset": String(state.bytes) } });
    }
    if (init.method === "DELETE") {
      state.deleted++;
      return new Response(null, { status: 204 });
    }
    state.imports.push(init.body as FormData);
    return Response.json({ id: "j1" }, { status: 202 });
  });
  return state;
}

const file = () => new File([new Uint8Array(700_000).fill(7)], "井.csv");

afterEach(() => {
  vi.unstubAllGlobals();
  kept.clear();
});

describe("SHA-256 in pieces", () => {
  it("is the same as in one", () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 31) & 255);
    for (const cut of [0, 1, 55, 56, 63, 64, 65, 127, 640, 1000]) {
      const mine = new Sha256().update(bytes.subarray(0, cut)).update(bytes.subarray(cut)).digest();
      expect(mine, String(cut)).toBe(createHash("sha256").update(bytes).digest("hex"));
    }
    expect(new Sha256().digest()).toBe(createHash("sha256").digest("hex"));
  });
});

describe("an upload", () => {
  it("goes in parts and becomes an import as declared", async () => {
    const state = server();
    const all = new Sendings(store);
    const handed = vi.fn();
    all.whenHanded(handed);
    all.add(file(), { title: "井", crs: "" });
    await vi.waitFor(() => expect(handed).toHaveBeenCalled());
    expect(state.sent).toEqual([0, partSize(700_000), 2 * partSize(700_000)]);
    expect([...(state.imports[0] as FormData).keys()]).toEqual(["title", "upload"]);
    expect(all.snapshot()).toEqual([]);
    expect(kept.get("hdq.uploads")).toBe("[]");
  });

  it("goes on by itself after a lost connection, from what the server has", async () => {
    let lost = 1;
    const state = server((method) =>
      method === "PATCH" && state.bytes > 0 && lost-- > 0 ? new TypeError("offline") : null,
    );
    const all = new Sendings(store);
    all.add(file(), { title: "井" });
    await vi.waitFor(() => expect(all.snapshot()[0]?.stage).toBe("offline"));
    await vi.waitFor(() => expect(all.snapshot()).toEqual([]), { timeout: 4000 });
    expect(state.bytes).toBe(700_000);
  });

  it("is known after a reload and goes on with the same file", async () => {
    const state = server((method) =>
      method === "PATCH" && state.bytes > 0 ? Response.json({ title: "x" }, { status: 400 }) : null,
    );
    const before = new Sendings(store);
    before.add(file(), { title: "井" });
    await vi.waitFor(() => expect(before.snapshot()[0]?.stage).toBe("failed"));
    const bytes = state.bytes;
    const again = server();
    again.bytes = bytes;
    const after = new Sendings(store);
    expect(after.snapshot()[0]).toMatchObject({ stage: "asleep", name: "井.csv", declared: { title: "井" } });
    after.add(file(), { title: "ignored" });
    await vi.waitFor(() => expect(after.snapshot()).toEqual([]));
    expect(again.sent[0]).toBe(bytes);
    expect(again.imports[0]?.get("title")).toBe("井");
  });

  it("cancelled, is let go of here and there", async () => {
    const state = server((method) =>
      method === "PATCH" ? Response.json({ title: "x", detail: "no" }, { status: 413 }) : null,
    );
    const all = new Sendings(store);
    const key = all.add(file(), { title: "井" });
    await vi.waitFor(() => expect(all.snapshot()[0]).toMatchObject({ stage: "failed" }));
    all.cancel(key);
    await vi.waitFor(() => expect(state.deleted).toBe(1));
    expect(all.snapshot()).toEqual([]);
  });
});
