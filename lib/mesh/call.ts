import { type CallOptions, Code, type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import { problem, unauthenticated } from "./errors.ts";
import type { FactRef, Told } from "./facts.ts";
import { newSpanId, newTraceId } from "./span-ids.ts";
import type { Work } from "./trace.ts";

/** What travels with a request through every hop: who is behind it, who calls, until when, and under which trace. */
export type Call = {
  /** The signed-in person, or undefined. */
  readonly viewerId: string | undefined;
  /** The service that made this call. */
  readonly caller: string;
  /** Epoch milliseconds after which nobody waits any more. */
  readonly deadline: number;
  /** W3C trace context of the span this call runs in. */
  readonly traceparent: string;
  readonly requestId: string;
  /** The span that this call is; absent where it began here. */
  readonly work?: Work;
  /** Facts that nothing read for this call may be older than; it travels on to every callee. */
  readonly after?: readonly FactRef[] | undefined;
  /** Where a write notes the facts that it and its callees tell. */
  readonly told?: Told | undefined;
};

const callKey = createContextKey<Call | undefined>(undefined, { description: "skein call" });

/** The call behind a handler context. Every door sets it, so its absence is a bug. */
export function callOf(ctx: { readonly values: ContextValues }): Call {
  const call = ctx.values.get(callKey);
  if (call === undefined) throw new Error("handler context without a call");
  return call;
}

export const valuesOf = (call: Call): ContextValues => createContextValues().set(callKey, call);

/** How a line of the log names the call it is about, in every process the same; what nobody told is left out. */
export const namesOf = ({ traceparent, requestId, caller }: Pick<Call, "traceparent" | "requestId" | "caller">) => ({
  trace: traceparent.slice(3, 35),
  request: requestId || undefined,
  caller: caller || undefined,
});

/** Facts that what is read with these options must not be older than. */
export const afterOf = ({ contextValues: values }: CallOptions): readonly FactRef[] =>
  (values === undefined ? undefined : callOf({ values }).after) ?? [];

/** Options that make an outgoing call part of the one being handled. */
export const within = (ctx: { readonly values: ContextValues }): CallOptions => ({ contextValues: ctx.values });

/** The same call with time of its own: what is of use to others goes on when its first caller is out of time. */
export const lasting = (options: CallOptions, timeoutMs: number): CallOptions => ({
  contextValues: valuesOf({ ...callIn(options), deadline: Date.now() + timeoutMs }),
});

/** The call that options are made of. */
export function callIn({ contextValues: values }: CallOptions): Call {
  if (values === undefined) throw new Error("options without a call");
  return callOf({ values });
}

/** Options of a call that no person is behind: a consumer, a sweeper, a command. */
export const onBehalfOfNobody = (caller: string, timeoutMs: number, traceparent?: string): CallOptions =>
  onBehalfOf(undefined, caller, timeoutMs, traceparent);

/** Options of a call that begins here, for a person or nobody. */
export const onBehalfOf = (
  viewerId: string | undefined,
  caller: string,
  timeoutMs: number,
  traceparent = newTraceparent(),
): CallOptions => ({
  contextValues: valuesOf({
    viewerId,
    caller,
    deadline: Date.now() + timeoutMs,
    traceparent,
    requestId: traceparent.slice(3, 35),
  }),
});

/** The viewer's id; UNAUTHENTICATED where nobody is signed in. */
export function viewerOf(ctx: { readonly values: ContextValues }): string {
  const { viewerId } = callOf(ctx);
  if (viewerId === undefined) throw unauthenticated();
  return viewerId;
}

/** The same as the number it is; undefined where nobody is signed in. */
export function anyViewerIdOf(ctx: { readonly values: ContextValues }): bigint | undefined {
  const { viewerId } = callOf(ctx);
  return viewerId === undefined ? undefined : BigInt(viewerId);
}

/** Milliseconds left for the call; DEADLINE_EXCEEDED where there are none. */
export function timeLeftMs(call: Call): number {
  const left = call.deadline - Date.now();
  if (left <= 0) throw problem(Code.DeadlineExceeded, "deadline-exceeded", "the deadline has passed");
  return left;
}

/** A new trace, not sampled: W3C Trace Context, https://www.w3.org/TR/trace-context/. */
export const newTraceparent = (): string => `00-${newTraceId()}-${newSpanId()}-00`;

/**
 * Asked before a commit that a later call may have taken back: CANCELED where nobody waits for this run any more. A proxy
 * that gave a run up has sent the call elsewhere, and its caller may have gone on from there.
 */
export function mustBeWanted(ctx: { readonly values: ContextValues; readonly signal: AbortSignal }): void {
  if (ctx.signal.aborted) throw problem(Code.Canceled, "canceled", "nobody waits for this any more");
  timeLeftMs(callOf(ctx));
}

const traceparentForm = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The trace a peer sent, or a new one where it sent none that is well-formed. */
export const traceparentFrom = (sent: string | undefined): string =>
  sent !== undefined && traceparentForm.test(sent) ? sent : newTraceparent();
