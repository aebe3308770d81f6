import { Code, type ConnectError } from "@connectrpc/connect";
import { LRUCache } from "lru-cache";
import { invalid, problem } from "#lib/mesh/errors.ts";
import { keyring, sealMacBytes } from "#lib/mesh/keyring.ts";

/** A page nobody asked the size of. */
const pageSizeDefault = 20;
/** The largest page: twice what a screen shows, so that a fast thumb costs one call. */
const pageSizeMax = 100;

/** The size to answer; INVALID_ARGUMENT outside 1 to 100, never clamped in silence. 0 is "not said" in proto3. */
export function pageSizeOf(asked: number): number {
  if (asked === 0) return pageSizeDefault;
  if (asked < 1 || asked > pageSizeMax) throw invalid("page_size", `must be between 1 and ${pageSizeMax}`);
  return asked;
}

/** Second: the first had its place in the clear. */
const formatVersion = 2;
const placeBytes = 8;
/** Tokens kept: who looks again soon, and nothing new came, gets the same. Sealing one is a twentieth of what feed does for a page. 3 MB at most. */
const sealedMax = 10_000;

/**
 * Page tokens: where a page ended, signed and bound to the list (`scope`) and the viewer it was made for. Position is
 * the id of the last item examined, so pages neither skip nor repeat under inserts and deletes; the viewer may have to know
 * nothing of that item, so it is hidden. They do not run out: keys are rotated instead.
 */
export function pageTokens(key: string) {
  const keys = keyring(key, "CURSOR_KEY");
  const kept = new LRUCache<string, string>({ max: sealedMax });

  /** The place in a token; undefined where it is not one of this list. */
  function open(token: string, scope: string, viewerId = ""): bigint | undefined {
    const bytes = Buffer.from(token, "base64url");
    if (bytes.length !== 1 + placeBytes + sealMacBytes || bytes.toString("base64url") !== token) return undefined;
    if (bytes[0] !== formatVersion) return undefined;
    return keys.open(bytes.subarray(1), `${scope}\n${viewerId}`)?.readBigUInt64BE();
  }

  return {
    open,

    encode(before: bigint, scope: string, viewerId = ""): string {
      const context = `${scope}\n${viewerId}`;
      const name = `${before}\n${context}`;
      const known = kept.get(name);
      if (known !== undefined) return known;
      const place = Buffer.alloc(placeBytes);
      place.writeBigUInt64BE(before);
      const sealed = keys.seal(place, context);
      const token = Buffer.concat([Buffer.of(formatVersion), sealed]).toString("base64url");
      kept.set(name, token);
      return token;
    },

    /** The id to go on below; undefined for the first page; INVALID_ARGUMENT `invalid-cursor` for anything not ours. */
    decode(token: string, scope: string, viewerId = ""): bigint | undefined {
      if (token === "") return undefined;
      const place = open(token, scope, viewerId);
      if (place === undefined) throw invalidCursor();
      return place;
    },
  };
}

export type PageTokens = ReturnType<typeof pageTokens>;

const invalidCursor = (): ConnectError =>
  problem(Code.InvalidArgument, "invalid-cursor", "page_token is not one of this list", [
    { field: "page_token", rule: "must be the nextPageToken of the page before" },
  ]);
