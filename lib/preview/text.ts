/** Bytes in which a page says its charset (HTML Living Standard, 13.2.3.2). */
const prescanBytes = 1_024;

const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });
/** Bytes of a grapheme, on average, and of a few more: marks on marks are one grapheme, and no text. */
const graphemeBytes = 8;
const moreBytes = 64;
/** Something that is seen. */
const seen = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{M}\p{Cc}]/u;

/** A page's bytes as text: by its mark, by what its answer says, by what it says itself; UTF-8 where all is silent or unknown. */
export function decoded(bytes: Buffer, contentType: string): string {
  const said = /charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1] ?? charsetIn(bytes);
  return decoderOf(markOf(bytes) ?? said ?? "utf-8").decode(bytes);
}

function markOf(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : undefined;
}

function charsetIn(bytes: Buffer): string | undefined {
  const head = bytes.subarray(0, prescanBytes).toString("latin1");
  const said = /<meta[^>]{0,200}?charset\s*=\s*["']?\s*([^\s"'/>;]{1,40})/i.exec(head)?.[1];
  // What could be read so far is no UTF-16.
  return said === undefined || /^utf-16/i.test(said) ? undefined : said;
}

function decoderOf(label: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(label);
  } catch {
    return new TextDecoder();
  }
}

/** What a page says of itself, on one line: without controls and what turns the direction of a text, and cut where it is too long. Empty where there is nothing to see. */
export function lineOf(said: string, graphemesMax: number): string {
  const line = said
    // Enough for any text of so many graphemes, and less than would take long.
    .slice(0, graphemesMax * graphemeBytes * 2)
    .toWellFormed()
    .replace(/[\p{White_Space}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[\p{Cc}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/gu, "")
    .trim();
  if (!seen.test(line)) return "";
  let [kept, count, bytes] = ["", 0, 0];
  for (const { segment } of graphemes.segment(line)) {
    count++;
    bytes += Buffer.byteLength(segment);
    if (count > graphemesMax || bytes > graphemesMax * graphemeBytes + moreBytes) return `${withoutLast(kept)}…`;
    kept += segment;
  }
  return kept;
}

/** Room for the sign that something is left out. */
function withoutLast(line: string): string {
  const last = [...graphemes.segment(line)].at(-1)?.segment ?? "";
  return line.slice(0, line.length - last.length).trimEnd();
}
