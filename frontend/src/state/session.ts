import { useSyncExternalStore } from "react";
import { get, post, whenUnauthorised } from "../api/client";
import { stream } from "../api/events";
import { Problem } from "../api/problem";
import { forgetWarm } from "../api/resource";
import type { Me } from "../api/types";
import { go, place } from "./location";

/** Who is signed in, read once at start and after each sign-in or refusal. */
export type Session = { state: "loading" } | { state: "failed"; problem: Problem } | { state: "ready"; me: Me };

let session: Session = { state: "loading" };
const watchers = new Set<() => void>();

function set(next: Session): void {
  session = next;
  if (next.state === "ready" && next.me.signed_in) stream.start();
  else stream.stop();
  for (const watcher of watchers) watcher();
}

export async function readSession(): Promise<void> {
  try {
    set({ state: "ready", me: await get<Me>("/me") });
  } catch (cause) {
    set({ state: "failed", problem: cause instanceof Problem ? cause : Problem.unreachable(cause) });
  }
}

/** What the service worker keeps for a phone without a signal (vite.config.ts). */
const KEPT = ["hdq-answers", "hdq-tiles"] as const;

/** Forgets what was read as somebody: the next person at this device may see another part of the city. */
export async function forgetRead(storage: Pick<CacheStorage, "delete"> | undefined = globalThis.caches): Promise<void> {
  forgetWarm();
  if (storage) await Promise.all(KEPT.map((name) => storage.delete(name)));
}

export async function signIn(username: string, password: string): Promise<Me> {
  await forgetRead();
  const me = await post<Me>("/login", { username, password });
  set({ state: "ready", me: { ...me, signed_in: true } });
  return me;
}

export async function signOut(): Promise<void> {
  await post("/logout");
  await forgetRead();
  await readSession();
  go("/login");
}

whenUnauthorised(() => {
  if (session.state === "ready" && session.me.signed_in) {
    set({ state: "loading" });
    const back = place().path + window.location.search;
    void readSession().then(() => go(`/login?next=${encodeURIComponent(back)}`, "replace"));
  }
});

export function useSession(): Session {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => session,
  );
}

/** The signed-in caller; faces are only drawn when there is one. */
export function useMe(): Me {
  const now = useSession();
  if (now.state !== "ready") throw new Error("no session: a face was drawn before sign-in");
  return now.me;
}

/** True when the server said this caller may do it: what is not allowed is not drawn. */
export function may(me: Me, permission: string): boolean {
  return me.permissions?.includes(permission) ?? false;
}

/** The face this person starts on. */
export function homeOf(me: Me): string {
  return `/${me.face ?? "review"}`;
}
