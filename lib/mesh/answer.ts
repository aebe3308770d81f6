import { type DescMethod, getOption, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { SpanKind } from "@opentelemetry/api";
import { Auth, callers, Idempotency, policy } from "#gen/skein/options/v1/options_pb.ts";
import { type Call, namesOf, traceparentFrom, valuesOf } from "./call.ts";
import { problem, unauthenticated } from "./errors.ts";
import { decodeFacts, newTold, type Told } from "./facts.ts";
import type { Log } from "./log.ts";
import { servedRpc } from "./rpc-metrics.ts";
import type { MeshTokens } from "./token.ts";
import { begin, type Work } from "./trace.ts";

/** A call as it came, whatever carried it: by itself, or in a batch. Nothing of it is believed yet. */
export type Arrived = {
  readonly token: string | undefined;
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  readonly requestId: string;
  /** Facts that the answer must not be older than. */
  readonly after: string | undefined;
  /** Epoch milliseconds. */
  readonly deadline: number;
  readonly path: string;
  /** Aborts when nobody waits any more. */
  readonly signal: () => AbortSignal;
};

export type Handler = (request: Message, ctx: HandlerContext) => unknown;

/** What came of a call, and the span it was. */
export type Answered = { readonly work: Work; readonly told?: Told | undefined } & (
  | { readonly reply: unknown; readonly err?: undefined }
  | { readonly err: ConnectError }
);

/** Time a hop keeps for itself, so that the caller still hears which callee was late. */
const returnMs = 20;

/** The call behind what arrived: identity checked, allowed by the RPC's policy, its deadline bounded. */
export type Meet = (arrived: Arrived) => Call;

export function meetCaller(method: DescMethod, tokens: MeshTokens): Meet {
  const { auth, timeoutMs, idempotency } = getOption(method, policy);
  const isWrite = idempotency !== Idempotency.SAFE;
  const noun = method.parent.typeName.split(".")[1] ?? "";
  const known = new Set(getOption(method.parent, callers));
  if (known.size === 0) throw new Error(`${method.parent.typeName} names nobody who may call it`);
  return ({ token, deadline: asked, traceparent, requestId, after }) => {
    const identity = tokens.check(token);
    if (!known.has(identity.caller)) {
      throw problem(Code.PermissionDenied, "forbidden", `${identity.caller} does not call ${method.parent.typeName}`);
    }
    if (auth === Auth.USER && identity.viewerId === undefined) throw unauthenticated();
    if (auth === Auth.OPERATOR && identity.caller !== "operator") {
      throw problem(Code.PermissionDenied, "forbidden", "only the operator's commands may call this");
    }
    if (auth === Auth.UNSPECIFIED) throw problem(Code.PermissionDenied, "forbidden", "this RPC has no policy");
    const deadline = Math.min(asked - returnMs, Date.now() + timeoutMs);
    if (deadline <= Date.now()) throw problem(Code.DeadlineExceeded, "deadline-exceeded", "no time left to work");
    return {
      ...identity,
      deadline,
      traceparent: traceparentFrom(traceparent),
      requestId,
      after: after === undefined ? undefined : decodeFacts(after),
      told: isWrite ? newTold(noun) : undefined,
    };
  };
}

export const meetAnyone: Meet = ({ deadline }) => ({
  viewerId: undefined,
  caller: "",
  deadline,
  traceparent: traceparentFrom(undefined),
  requestId: "",
});

/**
 * Answers calls of one RPC in this order: who calls and may they (deny by default), until when, under which trace; then the
 * handler. What is our fault is logged here, once; each call is counted.
 */
export function answering(method: DescMethod, handler: Handler, meet: Meet, log: Log) {
  const served = servedRpc(method);
  return async (arrived: Arrived, request: Message): Promise<Answered> => {
    const sinceMs = performance.now();
    const work = workOf(method, arrived);
    let caller = "";
    try {
      const behind = meet(arrived);
      caller = behind.caller;
      const ctx = contextOf(method, arrived, { ...behind, traceparent: work.traceparent, work });
      const reply = await work.run(() => handler(request, ctx));
      work.end();
      served(caller, undefined, sinceMs);
      return { reply, work, told: behind.told };
    } catch (reason) {
      const err = judged(reason, method, { work, log, caller, requestId: arrived.requestId });
      served(caller, err.code, sinceMs);
      return { err, work };
    }
  };
}

export const workOf = (method: DescMethod, { traceparent, tracestate }: Arrived): Work =>
  begin(
    method.name,
    SpanKind.SERVER,
    { traceparent: traceparentFrom(traceparent), tracestate },
    { "rpc.system.name": "grpc", "rpc.service": method.parent.typeName },
  );

/** Whatever was thrown as the error to send; it ends its span, and what is our fault is logged here, once. */
export function judged(
  reason: unknown,
  method: DescMethod,
  { work, log, ...who }: { work: Work; log: Log; caller: string; requestId: string },
): ConnectError {
  const err = ConnectError.from(reason, Code.Internal);
  work.fail(err.code);
  work.end();
  if (err.code === Code.Internal || err.code === Code.Unknown || err.code === Code.Unavailable) {
    log.error("rpc failed", {
      method: method.name,
      code: Code[err.code],
      ...namesOf({ traceparent: work.traceparent, ...who }),
      error: reason,
    });
  }
  return err;
}

/** The context a handler sees. What most handlers never look at is made when first asked for. */
export const contextOf = (method: DescMethod, arrived: Arrived, behind: Call): HandlerContext =>
  new Context(method, arrived, behind);

/** A class: accessors of an object itself cost microseconds, and keep it until the next full collection. */
class Context implements HandlerContext {
  readonly method: DescMethod;
  readonly service: DescMethod["parent"];
  readonly protocolName = "grpc";
  readonly requestMethod = "POST";
  readonly url: string;
  readonly values: HandlerContext["values"];
  readonly #deadline: number;
  readonly #signalOf: () => AbortSignal;
  #signal: AbortSignal | undefined;
  #request: Headers | undefined;
  #response: Headers | undefined;
  #trailer: Headers | undefined;

  constructor(method: DescMethod, { path, signal }: Arrived, behind: Call) {
    this.method = method;
    this.service = method.parent;
    this.url = path;
    this.values = valuesOf(behind);
    this.#deadline = behind.deadline;
    this.#signalOf = signal;
  }

  timeoutMs(): number {
    return this.#deadline - Date.now();
  }

  get requestHeader(): Headers {
    this.#request ??= new Headers();
    return this.#request;
  }

  get responseHeader(): Headers {
    this.#response ??= new Headers();
    return this.#response;
  }

  get responseTrailer(): Headers {
    this.#trailer ??= new Headers();
    return this.#trailer;
  }

  get signal(): AbortSignal {
    this.#signal ??= this.#signalOf();
    return this.#signal;
  }
}
