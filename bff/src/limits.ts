import { isIPv6 } from "node:net";
import { Code, type ConnectError } from "@connectrpc/connect";
import { RateClass } from "#gen/skein/options/v1/options_pb.ts";
import { problem } from "#lib/mesh/errors.ts";
import { counter } from "#lib/mesh/metrics.ts";
import { type Budget, rateLimits } from "#lib/storage/rate.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { Head } from "./session.ts";

/** A budget for each rate class of the contract, and for guesses at one account's password. */
export type Budgets = Readonly<Record<"read" | "write" | "credential" | "password", Budget>>;

/** What clients may ask how often. RESOURCE_EXHAUSTED, `rate-limited`, with Retry-After, beyond that. */
export type Limits = {
  /** Draws from the budget of a class: a viewer's own, and the address's where nobody is signed in yet. */
  draw(rate: RateClass, viewerId: string | undefined, head: Pick<Head, "headers">): Promise<void>;
  /** Draws a try at an account. By account and address, so that a stranger's guesses lock nobody else out. */
  drawPassword(username: string, forwardedFor: string | null): Promise<void>;
};

const limitedTotal = counter({
  name: "skein_rate_limited_total",
  help: "Requests refused because the budget of their kind was spent.",
  labels: ["kind"],
});

const kindOf: { readonly [R in RateClass]?: "read" | "write" | "credential" } = {
  [RateClass.READ]: "read",
  [RateClass.WRITE]: "write",
  [RateClass.CREDENTIAL]: "credential",
};

export function createLimits(redis: Redis | undefined, budgets: Budgets): Limits {
  const limits = rateLimits(redis, budgets);
  const take = async (kind: keyof Budgets, subject: string) => {
    const waitMs = await limits.take(kind, subject);
    if (waitMs === undefined) return;
    limitedTotal.inc({ kind });
    throw rateLimited(waitMs);
  };
  return {
    async draw(rate, viewerId, { headers }) {
      const kind = kindOf[rate];
      // Deny by default: a class without a budget is no class for clients.
      if (kind === undefined) throw problem(Code.PermissionDenied, "forbidden", "this RPC has no budget");
      const isOwn = viewerId !== undefined && kind !== "credential";
      await take(kind, isOwn ? `viewer ${viewerId}` : `address ${addressOf(headers["x-forwarded-for"])}`);
    },
    drawPassword: (username, forwardedFor) =>
      take("password", `account ${username.toLowerCase()} from ${addressOf(forwardedFor ?? undefined)}`),
  };
}

/**
 * The edge appends the peer's own address; what stands before it is what the peer says. Of IPv6 the first 64 bits: they are
 * one subscriber's.
 */
function addressOf(forwardedFor: string | string[] | undefined): string {
  const address =
    String(forwardedFor ?? "")
      .slice(-100)
      .split(",")
      .at(-1)
      ?.trim() ?? "";
  return isIPv6(address) && !address.startsWith("::") ? address.split(":").slice(0, 4).join(":") : address;
}

function rateLimited(waitMs: number): ConnectError {
  const seconds = Math.ceil(waitMs / 1000);
  const err = problem(Code.ResourceExhausted, "rate-limited", `too many requests; wait ${seconds} s`);
  err.metadata.set("Retry-After", String(seconds));
  return err;
}
