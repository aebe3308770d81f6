import { Auth, Idempotency, RateClass } from "#gen/skein/options/v1/options_pb.ts";
import { type Call, timeLeftMs } from "#lib/mesh/call.ts";
import { newTold } from "#lib/mesh/facts.ts";
import type { Work } from "#lib/mesh/trace.ts";
import type { Limits } from "../limits.ts";
import type { Head, Session } from "../session.ts";
import type { Consistency } from "./consistency.ts";
import { checkIdempotencyKey } from "./idempotency.ts";
import type { Rpc } from "./rpc.ts";

/** Deny by default: a door opens no RPC whose contract leaves open who may call it, how often, twice, or for how long. */
export function requirePolicy({ name, policy }: Rpc): void {
  const { auth, rate, idempotency, timeoutMs } = policy;
  if (auth !== Auth.PUBLIC && auth !== Auth.USER) throw new Error(`${name}: its policy is not for clients`);
  if (rate === RateClass.UNSPECIFIED) throw new Error(`${name} has no rate class`);
  if (idempotency === Idempotency.UNSPECIFIED) throw new Error(`${name} does not say what a second call does`);
  if (timeoutMs === 0) throw new Error(`${name} has no timeout`);
}

/** What every door asks about a request before it reads its body, and by what it knows what its sender has seen. */
export type Gate = { readonly session: Session; readonly limits: Limits; readonly consistency: Consistency };

/**
 * Who calls, and whether they may again so soon, settled before anything of the body is read. UNAUTHENTICATED: nobody,
 * where the policy wants somebody, or a token that is not ours. RESOURCE_EXHAUSTED: the budget of the policy's rate class
 * is spent.
 */
export async function admit({ policy }: Rpc, head: Head, { session, limits }: Gate): Promise<string | undefined> {
  const viewerId = await session.viewerOf(head, policy.auth);
  await limits.draw(policy.rate, viewerId, head);
  return viewerId;
}

/** What a door knows of a request when its message is complete. */
type Asked = {
  readonly head: Head;
  /** Where headers of the answer go. */
  readonly res: { setHeader(name: string, value: string): unknown };
  readonly viewerId: string | undefined;
  readonly requestId: string;
  readonly work: Work;
  /** What the client allows; at most the policy's time counts. */
  readonly timeoutMs?: number | undefined;
};

/**
 * Runs a handler as its policy says: with a key where one is needed, inside a call with a deadline, never older than what
 * its sender has seen. The time begins when the request is complete, so that a slow upload does not eat it.
 */
export async function perform<R>(
  rpc: Rpc,
  asked: Asked,
  { consistency }: Pick<Gate, "consistency">,
  run: (call: Call) => R | Promise<R>,
): Promise<R> {
  checkIdempotencyKey(rpc.policy, asked.head);
  const { viewerId, requestId, work, head, res } = asked;
  const after = consistency.after(head);
  const told = rpc.policy.idempotency === Idempotency.SAFE ? undefined : newTold("");
  const call: Call = {
    viewerId,
    caller: "bff",
    deadline: Date.now() + Math.min(rpc.policy.timeoutMs, asked.timeoutMs ?? Number.POSITIVE_INFINITY),
    traceparent: work.traceparent,
    requestId,
    work,
    after,
    told,
  };
  timeLeftMs(call);
  const reply = await run(call);
  if (told !== undefined) consistency.tell(head, res, told, after);
  return reply;
}
