import { Problem } from "./problem";

type Query = Record<string, string | number | boolean | null | undefined>;

/** `/api/...` with a query; null and undefined parameters are left out. */
export function url(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return `/api${path}${text ? `?${text}` : ""}`;
}

let onUnauthorised: () => void = () => undefined;

/** Called once per refused session (401), so that the shell can show the login page. */
export function whenUnauthorised(listener: () => void): void {
  onUnauthorised = listener;
}

/** Set by the service worker on an answer that it kept (field/kept.ts): epoch ms. */
const KEPT_AT = "X-HDQ-Kept-At";

async function answer(input: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(input, { credentials: "same-origin", ...init });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw Problem.unreachable(cause);
  }
  if (response.status === 401) onUnauthorised();
  if (!response.ok) throw await Problem.of(response);
  return response;
}

async function send<T>(input: string, init: RequestInit): Promise<T> {
  const response = await answer(input, init);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** What was read; `keptAt` (epoch ms) when it is a copy kept on this device, null when the server said it just now. */
export interface Answer<T> {
  data: T;
  keptAt: number | null;
}

/** Read one resource and say whether it is fresh; throws Problem. */
export async function read<T>(path: string, signal?: AbortSignal): Promise<Answer<T>> {
  const response = await answer(url(path), { headers: { Accept: "application/json" }, signal });
  const kept = Number(response.headers.get(KEPT_AT) ?? 0);
  return { data: (await response.json()) as T, keptAt: kept > 0 ? kept : null };
}

/** Read one resource; throws Problem. */
export function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return send<T>(url(path, query), { headers: { Accept: "application/json" }, signal });
}

/** An answer whose headers matter, or a body of bytes: uploads in parts. Throws Problem. */
export function raw(path: string, init: RequestInit): Promise<Response> {
  return answer(url(path), { ...init, headers: { "X-HDQ-Client": "1", ...init.headers } });
}

/** A key that makes a repeated write the same write. Make it once per intention, not once per attempt. */
export function intention(): string {
  return crypto.randomUUID();
}

/** Write; `key` is the Idempotency-Key (one per intention: a retry passes the same). FormData goes as multipart. */
export function post<T>(path: string, body: unknown = {}, key: string = intention(), method = "POST"): Promise<T> {
  const form = body instanceof FormData;
  const headers: Record<string, string> = { Accept: "application/json", "Idempotency-Key": key, "X-HDQ-Client": "1" };
  if (!form) headers["Content-Type"] = "application/json";
  return send<T>(url(path), { method, headers, body: form ? body : JSON.stringify(body) });
}
