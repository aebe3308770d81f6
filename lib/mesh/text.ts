import { invalid } from "./errors.ts";

type Bounds = {
  /** What people count: one emoji of seven code points is one. */
  readonly graphemesMax: number;
  /** What a row holds: a grapheme may be long, a text may not. */
  readonly bytesMax: number;
};

const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });

/** A text as it was sent, byte for byte; refused where nobody could see anything in it, or where it is too long. */
export function textOf(text: string, { graphemesMax, bytesMax }: Bounds, field = "text"): string {
  if (Buffer.byteLength(text) > bytesMax) throw invalid(field, `must be at most ${bytesMax} bytes`);
  if (!text.isWellFormed()) throw invalid(field, "must be well-formed Unicode");
  if (!seen.test(text)) throw invalid(field, "must hold something to see");
  // A grapheme has at least one UTF-16 unit, so most texts need no count.
  if (text.length > graphemesMax && isLonger(text, graphemesMax)) {
    throw invalid(field, `must be at most ${graphemesMax} characters`);
  }
  return text;
}

/** A name or a word of one line, trimmed and composed: at most so many code points, with something to see. */
export function labelOf(sent: string, field: string, codePointsMax: number): string {
  const label = sent
    .slice(0, 4 * codePointsMax + 1)
    .normalize("NFC")
    .trim();
  if (!label.isWellFormed()) throw invalid(field, "must be well-formed Unicode");
  if (/\p{Cc}/u.test(label)) throw invalid(field, "must be one line");
  if (!seen.test(label)) throw invalid(field, "must hold something to see");
  if ([...label].length > codePointsMax) throw invalid(field, `must be at most ${codePointsMax} characters`);
  return label;
}

const seen = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{M}\p{Cc}]/u;

function isLonger(text: string, graphemesMax: number): boolean {
  let count = 0;
  for (const _ of graphemes.segment(text)) if (++count > graphemesMax) return true;
  return false;
}

/** A text as it is compared with others: composition and case do not count (ß is ss, İ is i with a dot). */
export const folded = (text: string): string => text.normalize("NFC").toUpperCase().toLowerCase().normalize("NFC");
