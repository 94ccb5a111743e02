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

async function send<T>(input: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(input, { credentials: "same-origin", ...init });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw Problem.unreachable(cause);
  }
  if (response.status === 401) onUnauthorised();
  if (!response.ok) throw await Problem.of(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** Read one resource; throws Problem. */
export function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return send<T>(url(path, query), { headers: { Accept: "application/json" }, signal });
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
