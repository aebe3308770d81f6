import { folded } from "./text.ts";

/** A part of a text, half-open, in bytes of UTF-8 and in code points. */
export type TextRange = {
  readonly byteStart: number;
  readonly byteEnd: number;
  readonly start: number;
  readonly end: number;
};

/** What a text holds, of each kind in its order. Names are not looked up yet. */
export type FoundFacets = {
  readonly mentions: readonly { readonly range: TextRange; readonly username: string }[];
  readonly hashtags: readonly { readonly range: TextRange; readonly tag: string }[];
  readonly links: readonly { readonly range: TextRange; readonly url: string }[];
};

/** Facets of one kind; what comes after them is text and nothing more. */
const facetsMax = 50;
/** Code points of a tag; a longer one is text. */
const tagMax = 100;
/** Characters of an address; a longer one is text. */
const urlMax = 2_048;

/**
 * Scripts that write their words apart: a letter of one of them before a sign makes it part of a word (an address of mail, a
 * colour). In others (Han, Kana, Thai) signs stand between letters.
 */
const spacedLetter = "\\p{sc=Latin}\\p{sc=Greek}\\p{sc=Cyrillic}\\p{M}\\p{N}_";
/** What a tag is made of: letters, digits, joiners of Persian and Indic scripts, emoji and what they are composed of. */
const tagPart =
  "\\p{L}\\p{M}\\p{N}_\\u200c\\u200d\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\p{Regional_Indicator}\\u{e0020}-\\u{e007f}";

const linkForm = /(?<![\p{L}\p{N}_])https?:\/\/[^\s\p{Cc}<>"]+/giu;
const mentionForm = new RegExp(
  `(?<![${spacedLetter}.+@＠/&-])[@＠]([a-z][a-z0-9_]{1,29})(?![a-z0-9_@＠]|[${spacedLetter}])`,
  "giu",
);
const tagForm = new RegExp(`(?<![${spacedLetter}&/#＃])[#＃]([${tagPart}]+)`, "gu");
/** A tag needs something that is no digit: #1 is a place in a list. */
const tagBody = /[\p{L}\p{Extended_Pictographic}\p{Regional_Indicator}]/u;

/** Finds mentions, tags and links in a well-formed text, which stays as it is. Takes time in proportion to the text. */
export function facetsIn(text: string): FoundFacets {
  // Most texts have none of the signs.
  if (!/[@＠#＃]|:\/\//u.test(text)) return { mentions: [], hashtags: [], links: [] };
  const rangeOf = ranging(text);
  const links = linksIn(text).slice(0, facetsMax);
  // A sign right before an address would make its scheme a name or a tag: "#https://ex.org" is a link.
  const touchesLink = (start: number, end: number) => links.some(({ from, to }) => start < to && end > from);
  const found = (form: RegExp) =>
    [...text.matchAll(form)].filter(({ index, 0: all }) => !touchesLink(index, index + all.length));
  const spanOf = ([all]: RegExpExecArray, index: number) => rangeOf(index, index + all.length);
  return {
    mentions: found(mentionForm)
      .slice(0, facetsMax)
      .map((match) => ({ range: spanOf(match, match.index), username: (match[1] as string).toLowerCase() })),
    hashtags: found(tagForm)
      .flatMap((match) => {
        const tag = tagOf(match[1] as string);
        return tag === undefined ? [] : [{ range: spanOf(match, match.index), tag }];
      })
      .slice(0, facetsMax),
    links: links.map(({ from, to, url }) => ({ range: rangeOf(from, to), url })),
  };
}

/** What a tag is compared by, given without its sign; undefined where it is none. */
export function tagOf(written: string): string | undefined {
  const tag = folded(written).replace(/\p{Variation_Selector}/gu, "");
  if (!wholeTag.test(tag) || !tagBody.test(tag) || [...tag].length > tagMax) return undefined;
  return tag;
}

const wholeTag = new RegExp(`^[${tagPart}]+$`, "u");

type LinkAt = { readonly from: number; readonly to: number; readonly url: string };

function linksIn(text: string): LinkAt[] {
  return [...text.matchAll(linkForm)].flatMap(({ index, 0: all }): LinkAt[] => {
    const written = withoutEnd(all);
    if (written.length > urlMax || !URL.canParse(written)) return [];
    const { href, username, password } = new URL(written);
    // A name before the host makes an address look like another one's.
    if (username !== "" || password !== "") return [];
    return [{ from: index, to: index + written.length, url: href }];
  });
}

const pairs: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{", "）": "（", "」": "「", "』": "『" };

/** An address without the marks of the sentence around it; a bracket is its own where it opens in it. */
function withoutEnd(written: string): string {
  const depth = new Map<string, number>();
  for (const char of written) depth.set(char, (depth.get(char) ?? 0) + 1);
  const chars = [...written];
  for (let last = chars.at(-1); last !== undefined; last = chars.at(-1)) {
    const opening = pairs[last];
    const closes = opening !== undefined && (depth.get(last) ?? 0) > (depth.get(opening) ?? 0);
    if (!closes && !/[.,:;!?'*_~…。、，！？：；»”’]/u.test(last)) break;
    depth.set(last, (depth.get(last) ?? 0) - 1);
    chars.pop();
  }
  return chars.join("");
}

/** Turns places of a string's UTF-16 into ranges; one walk over the text serves them all. */
function ranging(text: string): (from: number, to: number) => TextRange {
  const bytes = new Uint32Array(text.length + 1);
  const points = new Uint32Array(text.length + 1);
  let [byte, point, at] = [0, 0, 0];
  for (const char of text) {
    bytes.fill(byte, at, at + char.length);
    points.fill(point, at, at + char.length);
    byte += Buffer.byteLength(char);
    point++;
    at += char.length;
  }
  bytes[at] = byte;
  points[at] = point;
  return (from, to) => ({
    byteStart: bytes[from] as number,
    byteEnd: bytes[to] as number,
    start: points[from] as number,
    end: points[to] as number,
  });
}
