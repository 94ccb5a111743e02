import { useEffect, useRef } from "react";

/** Calls the handler of a key unless somebody is typing or a modifier is held. Keys are as `KeyboardEvent.key`, lower case. */
export function useKeys(handlers: Readonly<Record<string, (() => void) | undefined>>): void {
  const now = useRef(handlers);
  now.current = handlers;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const target = event.target as HTMLElement | null;
      if (target?.closest("input:not([type=checkbox]):not([type=range]), textarea, select, dialog")) return;
      const handler = now.current[event.key.toLowerCase()];
      if (!handler) return;
      event.preventDefault();
      handler();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}
