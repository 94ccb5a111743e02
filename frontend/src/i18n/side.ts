import type { Tongue } from "./index";

const HAN = /\p{Script=Han}/u;

function figures(text: string): string[] {
  return text.match(/\d+/g) ?? [];
}

/**
 * The half of a sentence that the server sent in both languages as `中文 · English`. The whole of it when it is not such
 * a pair, or when the Chinese half leaves out a figure that the English half has: nothing may get lost.
 */
export function side(text: string, tongue: Tongue): string {
  const cut = text.indexOf(" · ");
  if (cut < 0) return text;
  const zh = text.slice(0, cut);
  const en = text.slice(cut + 3);
  if (!HAN.test(zh) || HAN.test(en) || en.includes(" · ")) return text;
  const [kept, lost] = tongue === "zh" ? [zh, en] : [en, zh];
  const known = new Set(figures(kept));
  return figures(lost).every((figure) => known.has(figure)) ? kept : text;
}
