import type { Photo } from "./outbox";

const LONGEST = 2048;
const QUALITY = 0.88;

function hex(bytes: ArrayBuffer): string {
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** SHA-256 of a blob in hex; empty where the browser has no crypto (a page opened without https). */
async function fingerprint(blob: Blob): Promise<string> {
  if (!window.crypto?.subtle) return "";
  return hex(await window.crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
}

/** A picture made small enough for a poor line: at most 2048 pixels, JPEG; the time is that of the file. Throws for what is no picture. */
export async function takePhoto(file: File): Promise<Photo> {
  const image = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  if (!blob) throw new Error("the picture could not be encoded");
  return { blob, takenAt: new Date(file.lastModified).toISOString(), sha256: await fingerprint(blob) };
}

/** A key of its own for one report; also where randomUUID is missing (a page opened without https). */
export function newKey(): string {
  if (window.crypto.randomUUID) return window.crypto.randomUUID();
  const bytes = window.crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const text = hex(bytes.buffer);
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
}
