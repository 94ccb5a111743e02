/** When a map whose drawing is dear is drawn anew, and how its last picture is moved meanwhile. Pure: no clock, no canvas. */

export type Point = readonly [x: number, y: number];
/** Upper left, upper right, lower right, lower left. */
export type Corners = readonly [Point, Point, Point, Point];
/** Row by row, the last of the nine being 1: (x, y) goes to (ax + by + c, dx + ey + f) / (gx + hy + 1). */
export type Homography = readonly [number, number, number, number, number, number, number, number];

/** The perspective that takes each corner to its partner; null where three of them stand in a line. */
export function perspective(from: Corners, to: Corners): Homography | null {
  const rows: number[][] = [];
  for (let i = 0; i < 4; i++) {
    const [x, y] = from[i] as Point;
    const [u, v] = to[i] as Point;
    rows.push([x, y, 1, 0, 0, 0, -x * u, -y * u, u], [0, 0, 0, x, y, 1, -x * v, -y * v, v]);
  }
  for (let column = 0; column < 8; column++) {
    let best = column;
    for (let row = column + 1; row < 8; row++) {
      if (Math.abs(at(rows, row, column)) > Math.abs(at(rows, best, column))) best = row;
    }
    const pivot = rows[best] as number[];
    if (Math.abs(pivot[column] as number) < 1e-9) return null;
    rows[best] = rows[column] as number[];
    rows[column] = pivot;
    for (const row of rows) {
      if (row === pivot) continue;
      const share = (row[column] as number) / (pivot[column] as number);
      for (let k = column; k < 9; k++) row[k] = (row[k] as number) - share * (pivot[k] as number);
    }
  }
  return rows.map((row, i) => (row[8] as number) / (row[i] as number)) as unknown as Homography;
}

function at(rows: number[][], row: number, column: number): number {
  return rows[row]?.[column] as number;
}

export function apply([a, b, c, d, e, f, g, h]: Homography, [x, y]: Point): Point {
  const w = g * x + h * y + 1;
  return [(a * x + b * y + c) / w, (d * x + e * y + f) / w];
}

/** As CSS says it, for an element whose transform-origin is its upper left corner. */
export function css([a, b, c, d, e, f, g, h]: Homography): string {
  return `matrix3d(${[a, d, 0, g, b, e, 0, h, 0, 0, 1, 0, c, f, 0, 1].map((n) => Number(n.toPrecision(9))).join(",")})`;
}

const SAMPLES = 9;

/** Share of a screen of this size, 0–1, that a picture of the same size does not cover; `back` takes the screen to the picture. */
export function uncovered(back: Homography, width: number, height: number): number {
  let outside = 0;
  for (let i = 0; i < SAMPLES; i++) {
    for (let j = 0; j < SAMPLES; j++) {
      const [x, y] = apply(back, [(width * i) / (SAMPLES - 1), (height * j) / (SAMPLES - 1)]);
      if (x < -1 || y < -1 || x > width + 1 || y > height + 1) outside += 1;
    }
  }
  return outside / SAMPLES ** 2;
}

/** A drawing dearer than this many milliseconds cannot keep up with a hand: then the last picture is moved instead. */
export const DEAR_MS = 50;
const REST_MS = 140;
const LONGEST_REST_MS = 400;
/** Of the time while a hand moves the map, drawing may take one part in so many. */
const PATIENCE = 4;
/** One dearer than this waits for the hand to rest: until it were finished the screen would stand still. */
export const STALL_MS = 250;
const FAR = 0.3;
const OCTAVE = 1;

/** How long hand and pointer must be still before something so dear is drawn: the dearer, the surer it must be that they rest. */
export function restOf(cost: number): number {
  return Math.min(LONGEST_REST_MS, Math.max(REST_MS, cost / 2));
}

export interface Standing {
  /** Milliseconds of the last drawings: their median, until the last pixel was there. */
  cost: number;
  /** A drawing was ordered and is not yet finished. */
  busy: boolean;
  moving: boolean;
  /** Milliseconds since the camera last moved, and since the last drawing was finished. */
  still: number;
  since: number;
  /** Share of the screen that the last picture leaves bare, and zoom levels between it and now. */
  bare: number;
  levels: number;
}

/** Whether to draw now; where not, how many milliseconds later to ask again. */
export function mayDraw(now: Standing): true | number {
  if (now.cost < DEAR_MS) return true;
  if (now.busy) return DEAR_MS;
  const rest = restOf(now.cost);
  if (!now.moving || now.still > rest) {
    const wait = Math.max(rest - now.still, Math.min(now.cost, 1000) - now.since);
    return wait <= 0 ? true : wait;
  }
  if (now.cost < STALL_MS && (now.bare > FAR || Math.abs(now.levels) > OCTAVE) && now.since > PATIENCE * now.cost)
    return true;
  return rest + 10;
}

/** Median of the last few figures. */
export function middle(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
