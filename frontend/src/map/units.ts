/** Lengths in 米/公里 and areas in 亩/公顷 as people here read them. Pure; numbers in SI, text out. */
export const SQUARE_METRES_PER_MU = 2000 / 3;
export const SQUARE_METRES_PER_HECTARE = 10_000;

export type Tongue = "zh" | "en";

function digits(value: number): string {
  const places = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { maximumFractionDigits: places });
}

/** `832 米`, `1.25 公里`; "—" when it is not a number. */
export function formatLength(metres: number, tongue: Tongue = "zh"): string {
  if (!Number.isFinite(metres)) return "—";
  if (Math.abs(metres) < 1000) return `${digits(Math.round(metres))} ${tongue === "zh" ? "米" : "m"}`;
  return `${digits(metres / 1000)} ${tongue === "zh" ? "公里" : "km"}`;
}

/** Below 1 亩 in 平方米, below 150 亩 (10 公顷) in 亩, above in 公顷, above 100 km² in 平方公里. */
export function formatArea(squareMetres: number, tongue: Tongue = "zh"): string {
  if (!Number.isFinite(squareMetres)) return "—";
  const zh = tongue === "zh";
  if (squareMetres < SQUARE_METRES_PER_MU) return `${digits(squareMetres)} ${zh ? "平方米" : "m²"}`;
  if (squareMetres < 10 * SQUARE_METRES_PER_HECTARE)
    return `${digits(squareMetres / SQUARE_METRES_PER_MU)} ${zh ? "亩" : "mu"}`;
  if (squareMetres < 1e8) return `${digits(squareMetres / SQUARE_METRES_PER_HECTARE)} ${zh ? "公顷" : "ha"}`;
  return `${digits(squareMetres / 1e6)} ${zh ? "平方公里" : "km²"}`;
}

/** A patch's area: in 平方米 below 1 亩, in 亩 from there on, so that a list compares at a glance. */
export function formatMu(squareMetres: number, tongue: Tongue = "zh"): string {
  if (!Number.isFinite(squareMetres) || squareMetres < SQUARE_METRES_PER_MU) return formatArea(squareMetres, tongue);
  return `${digits(squareMetres / SQUARE_METRES_PER_MU)} ${tongue === "zh" ? "亩" : "mu"}`;
}

/** How long ago, in the largest unit that still tells: `18 秒`, `4 分钟`, `3 小时 20 分`, `2 天`. */
export function formatAge(seconds: number, tongue: Tongue = "zh"): string {
  if (!Number.isFinite(seconds)) return "—";
  const zh = tongue === "zh";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return zh ? `${s} 秒` : `${s} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return zh ? `${m} 分钟` : `${m} min`;
  const h = Math.floor(m / 60);
  if (h < 24) return zh ? `${h} 小时${m % 60 ? ` ${m % 60} 分` : ""}` : `${h} h${m % 60 ? ` ${m % 60} min` : ""}`;
  return zh ? `${Math.floor(h / 24)} 天` : `${Math.floor(h / 24)} d`;
}
