import { type DescMethod, type DescMethodUnary, getOption, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { BatchedAnswer, BatchedCall } from "#gen/skein/mesh/v1/batch_pb.ts";
import { batches, Idempotency, policy } from "#gen/skein/options/v1/options_pb.ts";
import type { Answered, Arrived } from "./answer.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { invalid } from "./errors.ts";
import { encodeFacts } from "./facts.ts";
import { inTime } from "./metrics.ts";
import { mostOf } from "./most.ts";
import { toStatusMessage } from "./status.ts";

/** Calls in one batch; a caller begins another one beyond that, and a callee refuses more. */
export const callsMax = 32;
/**
 * Writes that travel together are committed together, so they wait longer for each other; who is late then is told that nobody
 * waits for it any more, since its caller sends it again.
 */
const writtenMs = 500;

/** What the request and the response of every batch look like. */
type BatchRequest = Message & { readonly calls: BatchedCall[] };
export type BatchResponse = Message & { readonly answers: BatchedAnswer[] };

/** The RPC of which this one takes several calls; undefined for most. Fails where that is none that may be batched. */
export function batchedBy(method: DescMethod): DescMethodUnary | undefined {
  const name = getOption(method, batches);
  if (name === "") return undefined;
  const batched = method.parent.methods.filter(isUnary).find((one) => one.name === name);
  if (batched === undefined) throw new Error(`${method.name} batches ${name}, which is no unary RPC beside it`);
  if (!repeatable.has(getOption(batched, policy).idempotency)) throw new Error(`${name} may not be sent again`);
  return batched;
}

/** What is late is sent again, alone. */
const repeatable: ReadonlySet<Idempotency> = new Set([Idempotency.SAFE, Idempotency.STATE, Idempotency.KEYED]);

/** The batch of an RPC, where its service has one. */
export const batchOf = (method: DescMethod): DescMethodUnary | undefined =>
  method.parent.methods.filter(isUnary).find((one) => getOption(one, batches) === method.name);

const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === "unary";

type Answer = Pick<BatchedAnswer, "result"> & Partial<Pick<BatchedAnswer, "kept" | "told">>;
const late: Answer = { result: { case: "late", value: true } };

/** A handler of a batch: each call is answered as if it had come alone. */
export function answeringTogether(
  method: DescMethodUnary,
  answered: (arrived: Arrived, request: Message) => Promise<Answered>,
) {
  const path = `/${method.parent.typeName}/${method.name}`;
  const isWrite = getOption(method, policy).idempotency !== Idempotency.SAFE;

  async function one(call: BatchedCall, signal: () => AbortSignal): Promise<Answer> {
    const { token, requestId, traceparent, tracestate, timeoutMs } = call;
    const deadline = Date.now() + timeoutMs;
    const state = tracestate === "" ? undefined : tracestate;
    const arrived = { token, requestId, traceparent, tracestate: state, after: undefined, deadline, path, signal };
    const { work, told, ...outcome } = await answered(arrived, decode(method.input, call.request));
    if (outcome.err !== undefined) return { ...refused(outcome.err), kept: work.isKept };
    return {
      result: { case: "response", value: encode(method.output, outcome.reply as Message) },
      kept: work.isKept,
      ...(told !== undefined && { told: encodeFacts(told.facts.values()) }),
    };
  }

  return async (request: Message, ctx: { readonly signal: AbortSignal }): Promise<{ answers: Answer[] }> => {
    const { calls } = request as BatchRequest;
    if (calls.length > callsMax) throw invalid("calls", `must be at most ${callsMax}`);
    const answers = calls.map(() => late);
    const leaving = new AbortController();
    if (isWrite) ctx.signal.addEventListener("abort", () => leaving.abort(ctx.signal.reason), { once: true });
    const signal = () => (isWrite ? leaving.signal : ctx.signal);
    const each = calls.map(async (call, nth) => {
      answers[nth] = await one(call, signal).catch(refused);
    });
    // What is not there by then stays late.
    if (isWrite) await inTime(writtenMs, () => Promise.all(each)).catch(() => leaving.abort());
    else await mostOf(each);
    return { answers: [...answers] };
  };
}

const refused = (reason: unknown): Answer => ({
  result: { case: "error", value: toStatusMessage(ConnectError.from(reason, Code.Internal)) },
});
