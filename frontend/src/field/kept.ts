/**
 * What the service worker keeps for a phone without a signal. vite.config.ts writes these functions into the worker as
 * text: each stands alone and names nothing outside itself.
 */

/** True for answers the field face needs without a signal; no other face is ever given a kept answer. */
export function keepsAnswer({ url, request }: { url: URL; request: Request }): boolean {
  if (!/^\/api\/(me|categories|tasks|cases\/\d+|layers|style\/\w+)$/.test(url.pathname)) return false;
  if (request.referrer === "" || !URL.canParse(request.referrer)) return false;
  return /^\/field(\/|$)/.test(new URL(request.referrer).pathname);
}

/** True for tiles of the base map that change with an import, not with the hour; never for cells, cases or alerts. */
export function keepsTile({ url }: { url: URL }): boolean {
  return /^\/tiles\/(land|water|greens|roads|places|districts|streets|buildings|coastline|forest_zones)\/\d+\/\d+\/\d+\.mvt$/.test(
    url.pathname,
  );
}

/** Writes on the copy that is kept when it was kept (epoch ms); what comes over the line carries no such mark. */
export async function stampKept({ response }: { response: Response }): Promise<Response | null> {
  if (response.status !== 200) return null;
  const headers = new Headers(response.headers);
  headers.set("X-HDQ-Kept-At", String(Date.now()));
  return new Response(response.body, { status: 200, statusText: response.statusText, headers });
}
