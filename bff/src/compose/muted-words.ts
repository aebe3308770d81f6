import type { HandlerContext } from "@connectrpc/connect";
import { LRUCache } from "lru-cache";
import { callOf, within } from "#lib/mesh/call.ts";
import { folded } from "#lib/mesh/text.ts";
import type { Clients } from "../clients.ts";

/** Viewers whose words are kept: at most 200 words each. */
const viewersMax = 10_000;

/** Whether a text holds a word that its reader mutes. */
type IsMuted = (text: string) => boolean;

export type MutedWords = (version: bigint | undefined, ctx: HandlerContext) => Promise<IsMuted>;

/**
 * What a viewer mutes, by the version that a feed names: 0 costs nothing, and one that is kept neither. Graph is asked for a
 * later one, and where the feed could not say.
 */
export function mutedWords({ graph }: Pick<Clients, "graph">): MutedWords {
  const kept = new LRUCache<string, { version: bigint; isMuted: IsMuted }>({ max: viewersMax });
  return async (version, ctx) => {
    if (version === 0n) return mutesNothing;
    const viewerId = callOf(ctx).viewerId ?? "";
    const known = kept.get(viewerId);
    if (known !== undefined && version !== undefined && known.version >= version) return known.isMuted;
    const answer = await graph.listMutedWords({}, within(ctx));
    const isMuted = matcherOf(answer.words);
    kept.set(viewerId, { version: answer.version, isMuted });
    return isMuted;
  };
}

const mutesNothing: IsMuted = () => false;

/**
 * Finds any of some words, whatever case and composition. A word is found whole, so that "art" is not in "party"; one that
 * holds letters of a script without spaces is found anywhere.
 */
export function matcherOf(words: readonly string[]): IsMuted {
  const sought = words.map((word) => {
    const plain = spaced(folded(word));
    return { plain, whole: unspacedScript.test(plain) ? undefined : wholeOf(plain) };
  });
  return (text) => {
    const read = spaced(folded(text));
    // To look for the letters first is cheap, and nearly always all.
    return sought.some(({ plain, whole }) => read.includes(plain) && (whole?.test(read) ?? true));
  };
}

const spaced = (text: string): string => text.replace(/\s+/gu, " ");

const unspacedScript = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;

/** Letters, marks and digits make words; a word that begins or ends with none of them has no edge there. */
function wholeOf(word: string): RegExp {
  const part = "[\\p{L}\\p{M}\\p{N}_]";
  const isPart = new RegExp(part, "u");
  const [first = "", last = ""] = [[...word][0], [...word].at(-1)];
  const before = isPart.test(first) ? `(?<!${part})` : "";
  const after = isPart.test(last) ? `(?!${part})` : "";
  return new RegExp(before + word.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&") + after, "u");
}
