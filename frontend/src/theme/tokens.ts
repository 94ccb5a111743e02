/** Reads the tokens of tokens.css at run time, so that charts, canvases and deck layers paint with the same colours. */
export type Rgba = [number, number, number, number];

/** Value of one CSS variable on the document, trimmed; throws when the token does not exist. */
export function token(name: string): string {
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  if (value === "") throw new Error(`no design token --${name}`);
  return value;
}

/** `#rrggbb` or `#rrggbbaa` to deck.gl's 0–255 quadruple. */
export function hexRgba(hex: string, alpha = 255): Rgba {
  const match = /^#([0-9a-f]{6})([0-9a-f]{2})?$/i.exec(hex);
  if (!match?.[1]) throw new Error(`not a #rrggbb colour: ${hex}`);
  const n = Number.parseInt(match[1], 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255, match[2] ? Number.parseInt(match[2], 16) : alpha];
}

/** Height of one rem in CSS pixels now (the wall scales it with the viewport). */
export function remPixels(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}

/** How much larger than on a 1080-line wall or a desk things that are sized in pixels must be drawn. */
export function paintScale(): number {
  const face = document.documentElement.dataset.face;
  return face === "wall" ? Math.max(1, remPixels() / 17.28) : 1;
}
