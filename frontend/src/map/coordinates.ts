/**
 * Coordinates as text: degrees, degrees-minutes-seconds, and CGCS2000 3° zone 40 metres (EPSG:4528).
 * Storage is EPSG:4326, lon before lat; EPSG:4528 prints easting with its zone prefix first, then northing.
 */
const A = 6378137;
const F = 1 / 298.257222101;
const CENTRAL = 120;
const FALSE_EASTING = 40_500_000;

const N = F / (2 - F);
const RADIUS = (A / (1 + N)) * (1 + N ** 2 / 4 + N ** 4 / 64);
const ALPHA = [
  N / 2 - (2 * N ** 2) / 3 + (5 * N ** 3) / 16,
  (13 * N ** 2) / 48 - (3 * N ** 3) / 5,
  (61 * N ** 3) / 240,
];
const BETA = [N / 2 - (2 * N ** 2) / 3 + (37 * N ** 3) / 96, N ** 2 / 48 + N ** 3 / 15, (17 * N ** 3) / 480];
const DELTA = [2 * N - (2 * N ** 2) / 3 - 2 * N ** 3, (7 * N ** 2) / 3 - (8 * N ** 3) / 5, (56 * N ** 3) / 15];
const RAD = Math.PI / 180;

export interface LonLat {
  lon: number;
  lat: number;
}

/** Gauss–Krüger forward by Krüger's n-series (Karney 2011): degrees to `[easting, northing]` metres, within a millimetre here. */
export function toZone40({ lon, lat }: LonLat): [number, number] {
  const phi = lat * RAD;
  const lambda = (lon - CENTRAL) * RAD;
  const k = (2 * Math.sqrt(N)) / (1 + N);
  const t = Math.sinh(Math.atanh(Math.sin(phi)) - k * Math.atanh(k * Math.sin(phi)));
  const xi = Math.atan2(t, Math.cos(lambda));
  const eta = Math.asinh(Math.sin(lambda) / Math.hypot(t, Math.cos(lambda)));
  let x = xi;
  let y = eta;
  ALPHA.forEach((a, i) => {
    const j = 2 * (i + 1);
    x += a * Math.sin(j * xi) * Math.cosh(j * eta);
    y += a * Math.cos(j * xi) * Math.sinh(j * eta);
  });
  return [FALSE_EASTING + RADIUS * y, RADIUS * x];
}

/** Inverse of `toZone40`. */
export function fromZone40(easting: number, northing: number): LonLat {
  const xi0 = northing / RADIUS;
  const eta0 = (easting - FALSE_EASTING) / RADIUS;
  let xi = xi0;
  let eta = eta0;
  BETA.forEach((b, i) => {
    const j = 2 * (i + 1);
    xi -= b * Math.sin(j * xi0) * Math.cosh(j * eta0);
    eta -= b * Math.cos(j * xi0) * Math.sinh(j * eta0);
  });
  const chi = Math.asin(Math.sin(xi) / Math.cosh(eta));
  let phi = chi;
  DELTA.forEach((d, i) => {
    phi += d * Math.sin(2 * (i + 1) * chi);
  });
  return { lon: CENTRAL + Math.atan2(Math.sinh(eta), Math.cos(xi)) / RAD, lat: phi / RAD };
}

export type Notation = "degrees" | "dms" | "zone40";

function dms(value: number, positive: string, negative: string): string {
  const tenths = Math.round(Math.abs(value) * 36000);
  const d = Math.floor(tenths / 36000);
  const m = Math.floor((tenths % 36000) / 600);
  const s = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return `${d}°${String(m).padStart(2, "0")}′${s}″${value < 0 ? negative : positive}`;
}

export function formatCoordinate(at: LonLat, notation: Notation): string {
  if (notation === "dms") return `${dms(at.lon, "E", "W")} ${dms(at.lat, "N", "S")}`;
  if (notation === "zone40") {
    const [e, n] = toZone40(at);
    return `E ${e.toFixed(1)} N ${n.toFixed(1)}`;
  }
  return `${at.lon.toFixed(6)}, ${at.lat.toFixed(6)}`;
}

const DMS = /(\d{1,3})[°度]\s*(\d{1,2})[′'分]\s*(\d{1,2}(?:\.\d+)?)[″"秒]?\s*([NSEW东西南北])/gi;

function valid(lon: number, lat: number): LonLat | null {
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? { lon, lat } : null;
}

/**
 * Pasted text to a place, or null. Understands `lon, lat` (also `lat, lon` when only that order is possible in China),
 * DMS with letters in any order, and zone-40 metres in either order (the easting is known by its prefix 40).
 */
export function parseCoordinate(text: string): LonLat | null {
  const parts = [...text.matchAll(DMS)];
  if (parts.length === 2) {
    let lon: number | null = null;
    let lat: number | null = null;
    for (const [, d, m, s, letter] of parts) {
      const value = Number(d) + Number(m) / 60 + Number(s) / 3600;
      const side = (letter ?? "").toUpperCase();
      if ("EW东西".includes(side)) lon = "W西".includes(side) ? -value : value;
      else lat = "S南".includes(side) ? -value : value;
    }
    return lon === null || lat === null ? null : valid(lon, lat);
  }
  const numbers = text.match(/-?\d+(?:\.\d+)?/g)?.map(Number) ?? [];
  if (numbers.length !== 2) return null;
  const [a = Number.NaN, b = Number.NaN] = numbers;
  const isEasting = (v: number) => v >= 40_000_000 && v < 41_000_000;
  if (isEasting(a)) return fromZone40(a, b);
  if (isEasting(b)) return fromZone40(b, a);
  if (Math.abs(a) <= 60 && b >= 70 && b <= 140) return valid(b, a);
  return valid(a, b);
}
