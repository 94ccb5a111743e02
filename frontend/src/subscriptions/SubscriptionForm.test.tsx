import { act } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SubscriptionForm } from "./SubscriptionForm";

const RING = [
  [120, 36],
  [120.1, 36],
  [120.1, 36.1],
  [120, 36],
];
const box = document.createElement("div");
const root = createRoot(box);
const find = (id: string) => box.querySelector<HTMLButtonElement>(`[data-testid="${id}"]`);
const show = (answer: () => Promise<Response>, drawing = false) => {
  vi.spyOn(globalThis, "fetch").mockImplementation(answer);
  const nothing = () => {};
  const calls = { onDraw: nothing, onKeep: nothing, onClear: nothing, onClose: nothing, onSaved: nothing };
  return act(async () =>
    root.render(
      <SubscriptionForm key={String(drawing)} of={null} hosts={[]} ring={RING} drawing={drawing} {...calls} />,
    ),
  );
};

beforeEach(() => vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true));
afterEach(() => {
  act(() => root.render(null));
  vi.restoreAllMocks();
});

it("cannot be saved as every kind while the kinds could not be read", async () => {
  await show(async () => Promise.reject(new TypeError("no line")));
  expect(find("state-failed")).not.toBeNull();
  expect(find("subscription-save")?.disabled).toBe(true);
  await act(async () => root.render(null));
  await show(async () => Response.json([]));
  expect(find("subscription-save")?.disabled).toBe(false);
});

it("offers to keep the area while another is drawn, and says its size", async () => {
  await show(async () => Response.json([]), true);
  expect(find("subscription-keep")).not.toBeNull();
  expect(find("subscription-area")?.textContent).toMatch(/\d/);
  expect(find("subscription-save")?.disabled).toBe(true);
});
