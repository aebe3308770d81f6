/** What a line holds. */
export type Reader = {
  edge(from: number, to: number): void;
  /** `text` is the line as far as it is worth showing. */
  bad(line: number, why: string, text: string): void;
};

/** A line of two numbers is shorter by far; more is kept of none, whatever the file is. */
const lineBytesMax = 1_024;
/** Of a bad line, as much as fits on a screen's line. */
const shownChars = 80;
/** Larger numbers are not exact in JavaScript. */
const digitsSafe = 15;

const tab = 0x09;
const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const hash = 0x23;
const zero = 0x30;
const nine = 0x39;
const byteOrderMark = [0xef, 0xbb, 0xbf];

/**
 * Reads an edge list in SNAP's form (https://snap.stanford.edu/data/): `u v` a line, `#` begins a comment. Works on
 * bytes, chunk by chunk, and holds no more than one line: a text of a file of gigabytes would not fit.
 */
export function createEdgeReader(reader: Reader) {
  let line = 0;
  let held: Buffer = Buffer.alloc(0);
  /** The line under way was too long: what is left of it is passed over. */
  let skipping = false;

  function oneLine(bytes: Buffer, from: number, to: number): void {
    line++;
    const start = line === 1 && byteOrderMark.every((byte, nth) => bytes[from + nth] === byte) ? from + 3 : from;
    const why = readLine(bytes, start, to, reader);
    if (why !== undefined) reader.bad(line, why, shown(bytes.subarray(start, to)));
  }

  return {
    /** Lines read so far. */
    lines: (): number => line,

    push(chunk: Buffer): void {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      let from = 0;
      for (let end = bytes.indexOf(newline, from); end !== -1; end = bytes.indexOf(newline, from)) {
        if (skipping) skipping = false;
        else oneLine(bytes, from, end);
        from = end + 1;
      }
      held = skipping ? Buffer.alloc(0) : Buffer.from(bytes.subarray(from));
      if (held.length <= lineBytesMax) return;
      line++;
      if (held[0] !== hash) reader.bad(line, `is longer than ${lineBytesMax} bytes`, shown(held));
      held = Buffer.alloc(0);
      skipping = true;
    },

    /** The last line may lack its end. */
    end(): void {
      if (held.length > 0) oneLine(held, 0, held.length);
      held = Buffer.alloc(0);
    },
  };
}

/** Why a line is bad; undefined where it is an edge, a comment or blank. Runs for each line, so it makes no objects. */
function readLine(bytes: Buffer, from: number, to: number, { edge }: Reader): string | undefined {
  let columns = 0;
  let source = 0;
  let target = 0;
  for (let at = afterBlanks(bytes, from, to); at < to; at = afterBlanks(bytes, at, to)) {
    if (columns === 0 && bytes[at] === hash) return undefined;
    if (++columns > 2) return "has more than two columns";
    source = target;
    target = 0;
    let digits = 0;
    for (; at < to && !isBlank(bytes[at]); at++) {
      const byte = bytes[at] ?? 0;
      if (byte < zero || byte > nine) return "is not two whole numbers";
      if (target !== 0 || byte !== zero) digits++;
      if (digits > digitsSafe) return `has a number of more than ${digitsSafe} digits`;
      target = target * 10 + byte - zero;
    }
  }
  if (columns === 1) return "has one column";
  if (columns === 2) edge(source, target);
  return undefined;
}

function afterBlanks(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && isBlank(bytes[at])) at++;
  return at;
}

const isBlank = (byte: number | undefined): boolean => byte === space || byte === tab || byte === carriageReturn;

/** A line of any bytes, safe to print. */
const shown = (bytes: Buffer): string =>
  bytes
    .subarray(0, 4 * shownChars)
    .toString("utf8")
    .trimEnd()
    .replace(/\p{C}/gu, "?")
    .slice(0, shownChars);
