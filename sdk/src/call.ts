import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { Code, type Interceptor } from "@connectrpc/connect";
import { Idempotency, policy, RetryClass } from "#gen/skein/options/v1/options_pb.ts";
import { type SkeinError, skeinError } from "./error.ts";

/** Tries of one call in all: with the waits between them, some three seconds. */
const triesMax = 5;
const firstWaitMs = 100;
/** A server that asks for a longer wait is told to the caller instead. */
const waitMsMax = 2_000;

const keyHeader = "Idempotency-Key";
const seenHeader = "Consistency-Token";

/** Whoever is signed in: an access token, or what answers it; undefined where cookies do, or nobody is. */
export type Token = string | (() => string | undefined | Promise<string | undefined>) | undefined;

type Needs = {
  /** Asked before each call. */
  readonly token: () => Token;
  /** Waits between tries. */
  readonly wait: (ms: number) => Promise<void>;
};

/**
 * What each call carries without being asked: who calls, a key made once where the contract wants one (the same at every try), and
 * what this client has seen, so that it never reads anything older. What the contract says may be sent again is, where it was
 * not answered. Fails with a SkeinError.
 */
export function carrying({ token, wait }: Needs): Interceptor {
  let seen = "";
  return (next) => async (req) => {
    const { idempotency, retry } = getOption(req.method, policy);
    const bearer = await tokenNow(token());
    if (bearer !== undefined) req.header.set("Authorization", `Bearer ${bearer}`);
    if (idempotency === Idempotency.KEYED && !req.header.has(keyHeader)) {
      req.header.set(keyHeader, crypto.randomUUID());
    }
    for (let tried = 1; ; tried++) {
      if (seen !== "") req.header.set(seenHeader, seen);
      try {
        const res = await next(req);
        seen = res.header.get(seenHeader) ?? seen;
        return res;
      } catch (thrown) {
        const error = skeinError(thrown);
        const pauseMs = pauseOf(error, tried);
        const isStale = error.reason === "invalid-consistency-token" && seen !== "";
        if (isStale) {
          // The server's keys were changed: what was seen before is old enough by now.
          seen = "";
          req.header.delete(seenHeader);
        }
        const mayRepeat = retry === RetryClass.UNAVAILABLE && pauseMs !== undefined && !isStream(req.method);
        if (req.signal.aborted || (!isStale && !mayRepeat) || tried >= triesMax) throw error;
        if (!isStale) await wait(pauseMs ?? 0);
      }
    }
  };
}

const isStream = ({ methodKind }: DescMethod): boolean => methodKind !== "unary";

const tokenNow = async (token: Token): Promise<string | undefined> =>
  typeof token === "function" ? await token() : token;

/** How long to wait before the next try; undefined where another one would say the same. */
function pauseOf({ code, reason, retryAfterSeconds }: SkeinError, tried: number): number | undefined {
  const isPassing = code === Code.Unavailable || (code === Code.Aborted && reason === "conflict");
  if (!isPassing) return undefined;
  const growing = firstWaitMs * 2 ** (tried - 1) * (0.5 + Math.random());
  const asked = (retryAfterSeconds ?? 0) * 1_000;
  return asked > waitMsMax ? undefined : Math.max(growing, asked);
}
