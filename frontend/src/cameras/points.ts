export interface ControlPoint {
  x: number;
  y: number;
  lon: number;
  lat: number;
}
export interface Drive {
  boxes: { at: string; left: number; top: number; right: number; bottom: number }[];
  positions: { at: string; lon: number; lat: number }[];
}
export interface Points {
  control: ControlPoint[];
  horizon: { x: number; y: number }[];
  vehicle?: Drive;
}

/**
 * Rows of `x,y,lon,lat` (control points), `x,y` (points of the horizon) or `at,left,top,right,bottom,lon,lat` (boxes of a vehicle and where it was
 * then; `at` in seconds or ISO 8601), with or without a heading; null where they are none of these. Numbers above 1 are pixels of a picture of this size.
 */
export function readPoints(text: string, width: number, height: number): Points | null {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const cells = lines.map((line) => line.split(/[,;\t]/).map((part) => part.trim()));
  if (Number.isNaN(Number(cells[0]?.at(-1) || Number.NaN))) cells.shift();
  const columns = cells[0]?.length ?? 0;
  if (cells.length === 0 || cells.some((row) => row.length !== columns)) return null;
  if (columns === 7) return drive(cells, width, height);
  const rows = cells.map((row) => row.map((part) => Number(part || Number.NaN)));
  if ((columns !== 2 && columns !== 4) || rows.some((row) => row.some(Number.isNaN))) return null;
  const pixels = rows.some(([x = 0, y = 0]) => Math.max(x, y) > 1);
  const [across, down] = pixels ? [width, height] : [1, 1];
  const at = rows.map(([x = 0, y = 0, lon = 0, lat = 0]) => ({ x: x / across, y: y / down, lon, lat }));
  return columns === 4 ? { control: at, horizon: [] } : { control: [], horizon: at.map(({ x, y }) => ({ x, y })) };
}

function drive(cells: string[][], width: number, height: number): Points | null {
  const rows = cells.map(([moment = "", ...values]) => ({
    at: Number.isNaN(Number(moment)) ? Date.parse(moment) : Number(moment) * 1000,
    values: values.map((value) => Number(value || Number.NaN)),
  }));
  if (rows.some(({ at, values }) => Number.isNaN(at) || values.some(Number.isNaN))) return null;
  const pixels = rows.some(({ values }) => Math.max(...values.slice(0, 4)) > 1);
  const [across, down] = pixels ? [width, height] : [1, 1];
  const vehicle: Drive = { boxes: [], positions: [] };
  for (const { at: moment, values } of rows) {
    const [left = 0, top = 0, right = 0, bottom = 0, lon = 0, lat = 0] = values;
    const at = new Date(moment).toISOString();
    vehicle.boxes.push({ at, left: left / across, top: top / down, right: right / across, bottom: bottom / down });
    vehicle.positions.push({ at, lon, lat });
  }
  return { control: [], horizon: [], vehicle };
}
