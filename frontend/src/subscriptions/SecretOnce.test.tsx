import { act } from "react";
import { createRoot } from "react-dom/client";
import { expect, it, vi } from "vitest";
import { SecretOnce } from "./SecretOnce";

it("says when the secret could not be copied, and no longer once it could", async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  const box = document.createElement("div");
  const root = createRoot(box);
  const find = (id: string) => box.querySelector<HTMLElement>(`[data-testid="${id}"]`);
  const copy = () => act(async () => find("secret-copy")?.click());
  vi.stubGlobal("navigator", {});
  await act(async () => root.render(<SecretOnce title="x" secret="whsec_y" onClose={() => {}} />));
  await copy();
  expect(find("secret-not-copied")).not.toBeNull();
  const kept: string[] = [];
  vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void kept.push(text) } });
  await copy();
  expect([find("secret-not-copied"), kept]).toEqual([null, ["whsec_y"]]);
  act(() => root.unmount());
  vi.unstubAllGlobals();
});
