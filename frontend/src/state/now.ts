import { useSyncExternalStore } from "react";

let now = Date.now();
const watchers = new Set<() => void>();
let timer = 0;

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  if (watchers.size === 1) {
    timer = window.setInterval(() => {
      now = Date.now();
      for (const each of watchers) each();
    }, 1000);
  }
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) window.clearInterval(timer);
  };
}

/** The time now, once a second, from one clock for all that show ages. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}
