import type { IncomingHttpHeaders } from "node:http";
import { Code, type ConnectError } from "@connectrpc/connect";
import { problem } from "#lib/mesh/errors.ts";
import { decodeFacts, encodeFacts, type FactRef, newestOf, type Told } from "#lib/mesh/facts.ts";
import { keyring } from "#lib/mesh/keyring.ts";

const headerName = "Consistency-Token";
/** Read models keep what was applied for a minute more (lib/readmodel/applied.ts). An older token asks for nothing. */
const lifeMs = 300_000;
/** A browser's next reads; by then everybody sees what it wrote. */
const cookieSeconds = 60;
const macBytes = 16;
/** Ours have at most some 220 characters. */
const tokenForm = /^[A-Za-z0-9_-]{24,512}$/;

type Head = { readonly headers: IncomingHttpHeaders };
type Answer = { setHeader(name: string, value: string): unknown };

/** What a client has seen, as it carries it from its writes to its reads. */
export type Consistency = ReturnType<typeof createConsistency>;

/**
 * Consistency tokens: the newest facts that a client's writes have told, and when it was told so, signed. Who carries one sees
 * nothing older, at any door, replica or process. The header is for programs; browsers carry a cookie without asking.
 */
export function createConsistency(key: string, now: () => number = Date.now) {
  const keys = keyring(key, "INTERNAL_KEY");
  // The deployment's internal keys sign other things, too; the first word keeps them apart.
  const partsOf = (body: string) => [`consistency.${body}`];

  function mint(facts: readonly FactRef[]): string {
    const body = `${now()} ${encodeFacts(facts)}`;
    return Buffer.concat([keys.sign(partsOf(body), macBytes), Buffer.from(body)]).toString("base64url");
  }

  /** The facts of a token; none where it has run out; undefined where it is not ours. */
  function read(token: string): FactRef[] | undefined {
    if (!tokenForm.test(token)) return undefined;
    const bytes = Buffer.from(token, "base64url");
    const [mac, body] = [bytes.subarray(0, macBytes), bytes.subarray(macBytes).toString()];
    if (!keys.verify(partsOf(body), mac, macBytes)) return undefined;
    const [time, facts = ""] = body.split(" ");
    return Number(time) + lifeMs < now() ? [] : decodeFacts(facts);
  }

  return {
    /**
     * What the sender has seen: by the header, or else by the cookie. INVALID_ARGUMENT `invalid-consistency-token` where the header
     * is not ours: its sender relies on it. A cookie that is not ours is passed over: its sender does not know of it.
     */
    after({ headers }: Head): readonly FactRef[] | undefined {
      const header = headers["consistency-token"];
      if (header === undefined && headers.cookie === undefined) return undefined;
      const facts = header === undefined ? read(cookieIn(headers)) : read(String(header));
      if (facts === undefined && header !== undefined) throw invalidToken();
      return facts?.length ? facts : undefined;
    },

    /** Names what a request told, together with what its sender had seen before. Says nothing where it told nothing. */
    tell({ headers }: Head, answer: Answer, told: Told, after: readonly FactRef[] = []): void {
      if (told.facts.size === 0) return;
      const token = mint(newestOf([...told.facts.values(), ...after]));
      answer.setHeader(headerName, token);
      if (isBrowser(headers)) {
        const secure = isSecure(headers) ? "; Secure" : "";
        const attributes = `Path=/; Max-Age=${cookieSeconds}; HttpOnly; SameSite=Lax${secure}`;
        answer.setHeader("Set-Cookie", `${cookieName(headers)}=${token}; ${attributes}`);
      }
    },
  };
}

/** Only browsers say these. */
const isBrowser = ({ origin, "sec-fetch-site": site }: IncomingHttpHeaders): boolean =>
  origin !== undefined || site !== undefined;

/** The edge says how the client came. */
const isSecure = ({ "x-forwarded-proto": proto }: IncomingHttpHeaders): boolean => proto === "https";

/** Without TLS, in development, browsers refuse the prefix that keeps a cookie from being set by a sibling domain. */
const cookieName = (headers: IncomingHttpHeaders): string =>
  isSecure(headers) ? "__Host-skein-consistency" : "skein-consistency";

function cookieIn(headers: IncomingHttpHeaders): string {
  const name = `${cookieName(headers)}=`;
  const pairs = (headers.cookie ?? "").split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(name))?.slice(name.length) ?? "";
}

function invalidToken(): ConnectError {
  const violation = { field: headerName, rule: "must be the Consistency-Token of an earlier answer" };
  return problem(Code.InvalidArgument, "invalid-consistency-token", "not a consistency token of ours", [violation]);
}
