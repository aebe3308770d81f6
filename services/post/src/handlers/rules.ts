import { invalid } from "#lib/mesh/errors.ts";

/** What people count: one emoji of seven code points is one. */
export const graphemesMax = 5_000;
/** What a row holds: a grapheme may be long, a text may not. */
export const bytesMax = 20_000;

const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });

/** A text as it was sent, byte for byte; refused where nobody could see anything in it, or where it is too long. */
export function textOf(text: string): string {
  if (Buffer.byteLength(text) > bytesMax) throw invalid("text", `must be at most ${bytesMax} bytes`);
  if (!text.isWellFormed()) throw invalid("text", "must be well-formed Unicode");
  if (!/[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{M}\p{Cc}]/u.test(text)) {
    throw invalid("text", "must hold something to see");
  }
  // A grapheme has at least one UTF-16 unit, so most texts need no count.
  if (text.length > graphemesMax && countGraphemes(text) > graphemesMax) {
    throw invalid("text", `must be at most ${graphemesMax} characters`);
  }
  return text;
}

function countGraphemes(text: string): number {
  let count = 0;
  for (const _ of graphemes.segment(text)) if (++count > graphemesMax) break;
  return count;
}

/** A key of a create: 1 to 255 visible ASCII characters. */
export function keyOf(key: string): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalid("idempotency_key", "must be 1 to 255 visible ASCII characters");
  }
  return key;
}
