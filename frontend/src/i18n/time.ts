/** Times as the city reads them: Asia/Shanghai, whatever the browser's own zone. */
import type { Tongue } from "./index";

const ZONE = "Asia/Shanghai";

function parts(at: number | string | Date): Record<string, string> {
  const date = new Date(at);
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone: ZONE,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  return Object.fromEntries(format.formatToParts(date).map((part) => [part.type, part.value]));
}

export function clockTime(at: number | string | Date, seconds = false): string {
  const p = parts(at);
  return seconds ? `${p.hour}:${p.minute}:${p.second}` : `${p.hour}:${p.minute}`;
}

export function dayTime(at: number | string | Date): string {
  const p = parts(at);
  return `${p.month}-${p.day} ${p.hour}:${p.minute}`;
}

export function fullTime(at: number | string | Date): string {
  const p = parts(at);
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`;
}

export function dayOnly(at: number | string | Date): string {
  const p = parts(at);
  return `${p.year}-${p.month}-${p.day}`;
}

export function weekday(at: number | string | Date, tongue: Tongue): string {
  return new Intl.DateTimeFormat(tongue === "zh" ? "zh-CN" : "en-GB", { timeZone: ZONE, weekday: "short" }).format(
    new Date(at),
  );
}

/** Whole seconds from `at` to `now`; never negative. */
export function ageSeconds(at: number | string | Date, now = Date.now()): number {
  return Math.max(0, (now - new Date(at).getTime()) / 1000);
}
