import { useSyncExternalStore } from "react";
import { formatView, parseView, type View } from "./view";

/** Path and view, as the address bar says them. The address bar is the only store: Back and a shared link just work. */
export interface Place {
  path: string;
  view: View;
}

const listeners = new Set<() => void>();
let current: Place = read();

function read(): Place {
  return { path: window.location.pathname, view: parseView(window.location.search) };
}

function announce(): void {
  current = read();
  for (const listener of listeners) listener();
}

window.addEventListener("popstate", announce);

/** How a change enters the history: `push` makes a step Back can undo, `replace` does not (camera moves). */
export type Step = "push" | "replace";

export function place(): Place {
  return current;
}

function write(url: string, step: Step): void {
  if (url === window.location.pathname + window.location.search) return;
  if (step === "push") window.history.pushState(null, "", url);
  else window.history.replaceState(null, "", url);
  announce();
}

/** Change parts of the view; what is not named stays. A filter set to "" is removed. */
export function changeView(change: Partial<View>, step: Step = "push"): void {
  const view = { ...current.view, ...change };
  write(current.path + formatView(view), step);
}

export function changeFilters(change: Record<string, string | null>, step: Step = "push"): void {
  const filters = { ...current.view.filters };
  for (const [key, value] of Object.entries(change)) {
    if (value === null || value === "") delete filters[key];
    else filters[key] = value;
  }
  changeView({ filters }, step);
}

/** Go to another path of this client, with a fresh view unless a query is given in `href`. */
export function go(href: string, step: Step = "push"): void {
  write(href, step);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePlace(): Place {
  return useSyncExternalStore(subscribe, place);
}

export function useView(): View {
  return usePlace().view;
}
