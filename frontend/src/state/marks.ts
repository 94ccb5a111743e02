import { stream } from "../api/events";
import { place } from "./location";

/** What browser tests and benchmarks may look at: map, deck layers, state, marks. Holds nothing that is not on the screen. */
interface Window$Hdq {
  map: unknown;
  maps: Record<string, unknown>;
  layers: () => unknown[];
  problems: { layer: string; message: string }[];
  state: () => unknown;
  marks: { name: string; at: number; id?: string | number }[];
}

declare global {
  interface Window {
    __hdq: Window$Hdq;
  }
}

const MOST = 2000;

window.__hdq = {
  map: null,
  maps: {},
  layers: () => [],
  problems: [],
  state: () => ({ ...place(), stream: stream.snapshot() }),
  marks: [],
};

/** Note that something became visible, in epoch milliseconds; the oldest are forgotten. */
export function mark(name: string, id?: string | number): void {
  const { marks } = window.__hdq;
  marks.push(id === undefined ? { name, at: Date.now() } : { name, at: Date.now(), id });
  if (marks.length > MOST) marks.splice(0, marks.length - MOST);
}
