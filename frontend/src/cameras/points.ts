export interface ControlPoint {
  x: number;
  y: number;
  lon: number;
  lat: number;
}
export interface Points {
  control: ControlPoint[];
  horizon: { x: number; y: number }[];
}

/**
 * Rows of `x,y,lon,lat` (control points) or `x,y` (points of the horizon), with or without a heading; null where they are neither.
 * Numbers above 1 are pixels of a picture of this size.
 */
export function readPoints(text: string, width: number, height: number): Points | null {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const rows = lines.map((line) => line.split(/[,;\t]/).map((part) => Number(part.trim() || Number.NaN)));
  if (rows[0]?.some(Number.isNaN)) rows.shift();
  const columns = rows[0]?.length ?? 0;
  if (rows.length === 0 || (columns !== 2 && columns !== 4)) return null;
  if (rows.some((row) => row.length !== columns || row.some(Number.isNaN))) return null;
  const pixels = rows.some(([x = 0, y = 0]) => Math.max(x, y) > 1);
  const [across, down] = pixels ? [width, height] : [1, 1];
  const at = rows.map(([x = 0, y = 0, lon = 0, lat = 0]) => ({ x: x / across, y: y / down, lon, lat }));
  return columns === 4 ? { control: at, horizon: [] } : { control: [], horizon: at.map(({ x, y }) => ({ x, y })) };
}
