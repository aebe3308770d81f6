import type { IncomingHttpHeaders } from "node:http";
import { Code, type ConnectError } from "@connectrpc/connect";
import { createLocalJWKSet, errors, type JWK, type JWTPayload, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import { Auth } from "#gen/skein/options/v1/options_pb.ts";
import { problem, unauthenticated } from "#lib/mesh/errors.ts";

/** The head of a request, whichever version of HTTP carried it. */
export type Head = { readonly headers: IncomingHttpHeaders; readonly rawHeaders: readonly string[] };

/** Who is behind a request. */
export type Session = {
  /** The viewer's id; undefined where nobody is signed in and the RPC allows that. */
  viewerOf(head: Head, auth: Auth): Promise<string | undefined>;
};

/** Clocks of two machines may differ by this much. */
const leewaySeconds = 30;
/** An Ed25519 token of ours has about 300 characters. */
const tokenLengthMax = 4_096;
/** Tokens remembered with their viewer, about 500 bytes each; the least used is checked again. */
const rememberedMax = 10_000;

const viewerForm = /^[1-9][0-9]{0,19}$/;
const bearerForm = /^bearer ([A-Za-z0-9_.-]+)$/i;

type Known = { readonly viewerId: string; readonly expireTime: number };

/**
 * Reads `Authorization: Bearer`. A signature costs 100 µs, so what was verified once is remembered under the token
 * itself until it expires. A bad token is refused even where none is needed: its sender believes to be somebody.
 */
export async function createSession(publicKeys: readonly JWK[], now: () => number = Date.now): Promise<Session> {
  const keys = createLocalJWKSet({ keys: publicKeys.map((key) => ({ alg: "EdDSA", ...key })) });
  const known = new LRUCache<string, Known>({ max: rememberedMax });

  const recall = async (token: string): Promise<Known> => {
    const found = known.get(token);
    if (found !== undefined) return found;
    const fresh = knownOf(await verify(token), now());
    known.set(token, fresh);
    return fresh;
  };
  const verify = async (token: string): Promise<JWTPayload> => {
    const options = {
      algorithms: ["EdDSA"],
      typ: "at+jwt",
      issuer: "skein",
      audience: "skein-api",
      clockTolerance: leewaySeconds,
      currentDate: new Date(now()),
      requiredClaims: ["exp", "iat", "sub"],
    };
    const { payload } = await jwtVerify(token, keys, options).catch((reason: unknown) => {
      throw reason instanceof errors.JWTExpired ? expired() : invalidToken();
    });
    return payload;
  };

  return {
    async viewerOf(head, auth) {
      const token = tokenOf(head);
      if (token === undefined) {
        if (auth !== Auth.PUBLIC) throw unauthenticated();
        return undefined;
      }
      const { viewerId, expireTime } = await recall(token);
      if (now() >= expireTime) {
        known.delete(token);
        throw expired();
      }
      return viewerId;
    },
  };
}

function tokenOf({ headers, rawHeaders }: Head): string | undefined {
  const header = headers.authorization;
  if (header === undefined) return undefined;
  // Node keeps the first of two; a proxy in front may have checked the second.
  if (rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "authorization").length > 1) {
    const violation = { field: "Authorization", rule: "must be given once" };
    throw problem(Code.InvalidArgument, "validation", "two Authorization headers", [violation]);
  }
  const token = bearerForm.exec(header)?.[1];
  if (token === undefined || token.length > tokenLengthMax) throw invalidToken();
  return token;
}

function knownOf({ sub = "", exp = 0, iat = 0 }: JWTPayload, now: number): Known {
  if (!viewerForm.test(sub) || iat * 1000 > now + leewaySeconds * 1000) throw invalidToken();
  return { viewerId: sub, expireTime: (exp + leewaySeconds) * 1000 };
}

const expired = (): ConnectError => problem(Code.Unauthenticated, "token-expired", "the access token has expired");
const invalidToken = (): ConnectError => problem(Code.Unauthenticated, "invalid-token", "the access token is not ours");
