/** Geodesic length and area of drawn figures; positions are `[lon, lat]` degrees, results SI. Never Web Mercator. */
export type Position = [number, number];

const A = 6378137;
const F = 1 / 298.257223563;
const B = A * (1 - F);
const E2 = F * (2 - F);
const RAD = Math.PI / 180;

/** Length of the geodesic in metres by Vincenty's inverse formula; for near-antipodal points (never on this map) NaN. */
export function distance(p: Position, q: Position): number {
  const L = (q[0] - p[0]) * RAD;
  const u1 = Math.atan((1 - F) * Math.tan(p[1] * RAD));
  const u2 = Math.atan((1 - F) * Math.tan(q[1] * RAD));
  const [s1, c1, s2, c2] = [Math.sin(u1), Math.cos(u1), Math.sin(u2), Math.cos(u2)];
  let lambda = L;
  for (let i = 0; i < 100; i++) {
    const sl = Math.sin(lambda);
    const cl = Math.cos(lambda);
    const sinSigma = Math.hypot(c2 * sl, c1 * s2 - s1 * c2 * cl);
    if (sinSigma === 0) return 0;
    const cosSigma = s1 * s2 + c1 * c2 * cl;
    const sigma = Math.atan2(sinSigma, cosSigma);
    const sinAlpha = (c1 * c2 * sl) / sinSigma;
    const cos2Alpha = 1 - sinAlpha ** 2;
    const cos2m = cos2Alpha === 0 ? 0 : cosSigma - (2 * s1 * s2) / cos2Alpha;
    const C = (F / 16) * cos2Alpha * (4 + F * (4 - 3 * cos2Alpha));
    const next = L + (1 - C) * F * sinAlpha * (sigma + C * sinSigma * (cos2m + C * cosSigma * (2 * cos2m ** 2 - 1)));
    if (Math.abs(next - lambda) > 1e-12) {
      lambda = next;
      continue;
    }
    const u = (cos2Alpha * (A ** 2 - B ** 2)) / B ** 2;
    const k1 = 1 + (u / 16384) * (4096 + u * (-768 + u * (320 - 175 * u)));
    const k2 = (u / 1024) * (256 + u * (-128 + u * (74 - 47 * u)));
    const d =
      k2 *
      sinSigma *
      (cos2m +
        (k2 / 4) *
          (cosSigma * (2 * cos2m ** 2 - 1) - (k2 / 6) * cos2m * (4 * sinSigma ** 2 - 3) * (4 * cos2m ** 2 - 3)));
    return B * k1 * (sigma - d);
  }
  return Number.NaN;
}

/** Length of a path in metres. */
export function pathLength(path: readonly Position[]): number {
  let total = 0;
  for (let i = 1; i < path.length; i++) total += distance(path[i - 1] as Position, path[i] as Position);
  return total;
}

function authalic(lat: number): number {
  const e = Math.sqrt(E2);
  const s = Math.sin(lat * RAD);
  return (1 - E2) * (s / (1 - E2 * s * s) + Math.atanh(e * s) / e);
}

/** Area in m² of a ring (closed or not) on the ellipsoid, edges straight in the equal-area cylindrical plane: < 0.1 % off for city-sized rings. */
export function ringArea(ring: readonly Position[]): number {
  let sum = 0;
  for (let i = 0; i < ring.length; i++) {
    const [lon1, lat1] = ring[i] as Position;
    const [lon2, lat2] = ring[(i + 1) % ring.length] as Position;
    sum += (lon1 * RAD * authalic(lat2) - lon2 * RAD * authalic(lat1)) * (A ** 2 / 2);
  }
  return Math.abs(sum) / 2;
}

/** True when two edges of the ring cross: such a figure has no area. */
export function selfCrossing(ring: readonly Position[]): boolean {
  const n = ring.length;
  const side = (p: Position, q: Position, r: Position) =>
    Math.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]));
  for (let i = 0; i < n; i++) {
    for (let j = i + 2; j < n; j++) {
      if (i === 0 && j === n - 1) continue;
      const [a, b, c, d] = [ring[i], ring[(i + 1) % n], ring[j], ring[(j + 1) % n]] as [
        Position,
        Position,
        Position,
        Position,
      ];
      if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return true;
    }
  }
  return false;
}
