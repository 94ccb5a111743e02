import { useSyncExternalStore } from "react";
import { type Sending, Sendings } from "./sending";

/** The uploads of this browser; they go on while other tabs and faces are shown. */
export const sendings = new Sendings();

export function useSendings(): readonly Sending[] {
  return useSyncExternalStore(sendings.watch, sendings.snapshot);
}
