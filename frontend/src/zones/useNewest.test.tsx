import { act } from "react";
import { createRoot } from "react-dom/client";
import { expect, it, vi } from "vitest";
import { type EventStream, stream } from "../api/events";
import { useNewest } from "./useNewest";

it("keeps the picture that was asked for, and shows it when its own copy is there", async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  const tell: Parameters<EventStream["listen"]>[0][] = [];
  vi.spyOn(stream, "listen").mockImplementation((listener) => {
    tell.push(listener);
    return () => {};
  });
  const asked: string[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (address, init) => {
    if (init?.method !== "POST") return Response.json({ id: 7, frames: [] });
    asked.push(String(address));
    return Response.json({ sha256: `picture${asked.length}`, recorded_at: null, ready: false });
  });
  let seen = "";
  const Probe = () => {
    seen = useNewest(7, true).picture?.sha256 ?? "none";
    return null;
  };
  const root = createRoot(document.createElement("div"));
  await act(async () => root.render(<Probe />));
  const shown = (entity_id: string) =>
    act(async () => {
      for (const listener of tell)
        listener({ id: 1, kind: "evidence.shown", entity_id, region_code: "", created_at: "", payload: {} });
    });
  await shown("another");
  expect([seen, asked.length]).toEqual(["none", 1]);
  await shown("picture1");
  expect([seen, asked.length]).toEqual(["picture1", 1]);
  act(() => root.unmount());
  vi.restoreAllMocks();
});
