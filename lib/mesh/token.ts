import { Code } from "@connectrpc/connect";
import { LRUCache } from "lru-cache";
import { problem } from "./errors.ts";
import { keyring } from "./keyring.ts";

/** Who calls, and for whom: the claims of a mesh token. */
export type Identity = { readonly caller: string; readonly viewerId: string | undefined };

/** Minted once a minute for each (caller, viewer), good until the end of the next one. */
const lifetimeSeconds = 120;
/** A token costs 200 bytes; the oldest are minted or checked again. */
const cachedMax = 20_000;

/**
 * Mesh tokens: `caller.viewer.expiry.mac`, HMAC-SHA256 under the deployment's internal keys. Minting and checking are
 * done once a token, then looked up: the hot path pays a map access.
 */
export function meshTokens(key: string) {
  const keys = keyring(key, "INTERNAL_KEY");
  const minted = new LRUCache<string, string>({ max: cachedMax });
  const checked = new LRUCache<string, Identity & { expireSeconds: number }>({ max: cachedMax });

  return {
    mint({ caller, viewerId = "" }: Identity, nowMs = Date.now()): string {
      const minute = Math.floor(nowMs / 60_000);
      const name = `${caller}.${viewerId}.${minute * 60 + lifetimeSeconds}`;
      const known = minted.get(name);
      if (known !== undefined) return known;
      const token = `${name}.${keys.sign([name]).toString("base64url")}`;
      minted.set(name, token);
      return token;
    },

    /** The identity behind a token; UNAUTHENTICATED where there is none, it is forged or it has run out. */
    check(token: string | undefined, nowMs = Date.now()): Identity {
      const identity = checked.get(token ?? "") ?? verify(token ?? "");
      if (identity === undefined || identity.expireSeconds * 1000 < nowMs) {
        throw problem(Code.Unauthenticated, "unauthenticated", "the mesh does not know this caller");
      }
      return identity;
    },
  };

  function verify(token: string) {
    const [caller = "", viewer = "", expiry = "", mac = ""] = token.split(".");
    if (!keys.verify([`${caller}.${viewer}.${expiry}`], Buffer.from(mac, "base64url"))) return undefined;
    const identity = { caller, viewerId: viewer === "" ? undefined : viewer, expireSeconds: Number(expiry) };
    checked.set(token, identity);
    return identity;
  }
}

export type MeshTokens = ReturnType<typeof meshTokens>;
