import { act } from "react";
import { createRoot } from "react-dom/client";
import { expect, it, vi } from "vitest";
import type { CameraStanding } from "../api/types";
import { Chosen } from "./Chosen";

vi.mock("../state/session", () => ({ useMe: () => null, may: () => false }));

it("says how a camera is now, also when it got well and left the list", async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  const pose = { azimuth_deg: 1, pitch_deg: 2, hfov_deg: 3, pose_sigma_deg: 4 };
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => Response.json({ id: 7, state: "online", ...pose }));
  const of = { id: 7, code: "x", name: "", how: "moved", since: null, lon: 120, lat: 36 } as unknown as CameraStanding;
  const box = document.createElement("div");
  const root = createRoot(box);
  const how = async (listed: boolean) => {
    await act(async () => root.render(<Chosen of={of} listed={listed} onChanged={() => {}} />));
    return box.querySelector('[data-testid="camera-how"]')?.textContent;
  };
  expect(await how(true)).toMatch(/moved/);
  expect(await how(false)).toMatch(/online/);
  act(() => root.unmount());
  vi.restoreAllMocks();
});
