import { type DescMethod, type DescService, getOption, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import { SpanKind } from "@opentelemetry/api";
import { Auth, callers, Idempotency, policy } from "#gen/skein/options/v1/options_pb.ts";
import { type Call, namesOf, traceparentFrom, valuesOf } from "./call.ts";
import { channelOptions, methodDefinition } from "./codec.ts";
import { problem, unauthenticated } from "./errors.ts";
import { afterKey, decodeFacts, encodeFacts, newTold, type Told, toldKey } from "./facts.ts";
import type { Log } from "./log.ts";
import { servedRpc } from "./rpc-metrics.ts";
import { keptKey, toStatus } from "./status.ts";
import type { MeshTokens } from "./token.ts";
import { begin, type Work } from "./trace.ts";

/** A service and what answers it. */
export type Hosted = { readonly desc: DescService; readonly impl: object; readonly open?: boolean };

/** Pairs a service with its handlers, typed as Connect types them. `open`: no token asked (health). */
export const host = <S extends DescService>(desc: S, impl: ServiceImpl<S>, open = false): Hosted => ({
  desc,
  impl,
  open,
});

/** Time a hop keeps for itself, so that the caller still hears which callee was late. */
const returnMs = 20;

type Options = { readonly log: Log; readonly tokens: MeshTokens };
type ServerCall = grpc.ServerUnaryCall<Message, Message> | grpc.ServerWritableStream<Message, Message>;
type Handler = (request: Message, ctx: HandlerContext) => unknown;

/**
 * A grpc-js server over Connect handlers: the one bridge between the two. Each call is met in this order: who calls and
 * may they (deny by default), until when, under which trace; then the handler; then the error as a status, logged once
 * where it is ours.
 */
export function createServer(hosted: readonly Hosted[], options: Options): grpc.Server {
  const server = new grpc.Server({
    ...channelOptions,
    "grpc.max_concurrent_streams": 1000,
    "grpc.keepalive_time_ms": 30_000,
  });
  for (const { desc, impl, open = false } of hosted) {
    const definitions: Record<string, grpc.MethodDefinition<Message, Message>> = {};
    const handlers: grpc.UntypedServiceImplementation = {};
    for (const method of desc.methods) {
      const handler = (impl as Record<string, Handler>)[method.localName];
      if (handler === undefined) throw new Error(`${desc.typeName}.${method.name} has no handler`);
      definitions[method.localName] = methodDefinition(method);
      const meet = open ? meetAnyone(method) : meetCaller(method, options);
      handlers[method.localName] =
        method.methodKind === "server_streaming"
          ? streaming(method, handler, meet, options)
          : unary(method, handler, meet, options);
    }
    server.addService(definitions, handlers);
  }
  return server;
}

type Meet = (call: ServerCall) => Call;

/** The call behind a request: identity checked, allowed by the RPC's policy, its deadline bounded. */
function meetCaller(method: DescMethod, { tokens }: Options): Meet {
  const { auth, timeoutMs, idempotency } = getOption(method, policy);
  const isWrite = idempotency !== Idempotency.SAFE;
  const noun = method.parent.typeName.split(".")[1] ?? "";
  const known = new Set(getOption(method.parent, callers));
  if (known.size === 0) throw new Error(`${method.parent.typeName} names nobody who may call it`);
  return (call) => {
    const identity = tokens.check(text(call.metadata, "skein-token"));
    if (!known.has(identity.caller)) {
      throw problem(Code.PermissionDenied, "forbidden", `${identity.caller} does not call ${method.parent.typeName}`);
    }
    if (auth === Auth.USER && identity.viewerId === undefined) throw unauthenticated();
    if (auth === Auth.OPERATOR && identity.caller !== "operator") {
      throw problem(Code.PermissionDenied, "forbidden", "only the operator's commands may call this");
    }
    if (auth === Auth.UNSPECIFIED) throw problem(Code.PermissionDenied, "forbidden", "this RPC has no policy");
    const deadline = Math.min(Number(call.getDeadline()) - returnMs, Date.now() + timeoutMs);
    if (deadline <= Date.now()) throw problem(Code.DeadlineExceeded, "deadline-exceeded", "no time left to work");
    const traceparent = traceparentFrom(text(call.metadata, "traceparent"));
    const after = text(call.metadata, afterKey);
    return {
      ...identity,
      deadline,
      traceparent,
      requestId: requestIdOf(call),
      after: after === undefined ? undefined : decodeFacts(after),
      told: isWrite ? newTold(noun) : undefined,
    };
  };
}

const meetAnyone =
  (_method: DescMethod): Meet =>
  (call) => ({
    viewerId: undefined,
    caller: "",
    deadline: Number(call.getDeadline()),
    traceparent: traceparentFrom(undefined),
    requestId: "",
  });

function unary(
  method: DescMethod,
  handler: Handler,
  meet: Meet,
  { log }: Options,
): grpc.handleUnaryCall<Message, Message> {
  const served = servedRpc(method);
  return async (call, answer) => {
    const sinceMs = performance.now();
    const work = workOf(method, call);
    let caller = "";
    try {
      const behind = meet(call);
      caller = behind.caller;
      const ctx = contextOf(method, call, { ...behind, traceparent: work.traceparent, work });
      const reply = await work.run(() => handler(call.request, ctx));
      work.end();
      answer(null, reply as Message, trailerOf(work, behind.told));
      served(caller, undefined, sinceMs);
    } catch (reason) {
      const err = judged(reason, method, { work, log, caller, requestId: requestIdOf(call) });
      answer(statusOf(err, work));
      served(caller, err.code, sinceMs);
    }
  };
}

function streaming(
  method: DescMethod,
  handler: Handler,
  meet: Meet,
  { log }: Options,
): grpc.handleServerStreamingCall<Message, Message> {
  const served = servedRpc(method);
  return async (call) => {
    const sinceMs = performance.now();
    const work = workOf(method, call);
    let caller = "";
    try {
      const behind = meet(call);
      caller = behind.caller;
      const ctx = contextOf(method, call, { ...behind, traceparent: work.traceparent, work });
      const replies = work.run(() => handler(call.request, ctx)) as AsyncIterable<Message>;
      for await (const reply of inside(work, replies)) {
        if (call.cancelled) break;
        if (!call.write(reply)) await new Promise((go) => call.once("drain", go).once("cancelled", go));
      }
      work.end();
      call.end(trailerOf(work, behind.told));
      served(caller, call.cancelled ? Code.Canceled : undefined, sinceMs);
    } catch (reason) {
      const err = judged(reason, method, { work, log, caller, requestId: requestIdOf(call) });
      call.emit("error", statusOf(err, work));
      served(caller, err.code, sinceMs);
    }
  };
}

const workOf = (method: DescMethod, { metadata }: ServerCall): Work =>
  begin(
    method.name,
    SpanKind.SERVER,
    { traceparent: traceparentFrom(text(metadata, "traceparent")), tracestate: text(metadata, "tracestate") },
    { "rpc.system.name": "grpc", "rpc.service": method.parent.typeName },
  );

/** A generator runs where it is asked for the next value, so asking happens inside, each time. */
async function* inside<T>(work: Work, values: AsyncIterable<T>): AsyncGenerator<T> {
  const each = values[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await work.run(() => each.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await each.return?.();
  }
}

/** Tells the caller that this span is kept, so that it keeps its own above it, and which facts were told. */
function trailerOf({ isKept }: Work, told: Told | undefined): grpc.Metadata | undefined {
  const facts = told?.facts.size ? told.facts : undefined;
  if (!isKept && facts === undefined) return undefined;
  const trailer = new grpc.Metadata();
  if (isKept) trailer.set(keptKey, "1");
  if (facts !== undefined) trailer.set(toldKey, encodeFacts(facts.values()));
  return trailer;
}

/** The error as its caller gets it, with the word that its span is kept. */
function statusOf(err: ConnectError, work: Work): Partial<grpc.StatusObject> {
  const status = toStatus(err);
  if (work.isKept) status.metadata?.set(keptKey, "1");
  return status;
}

/** Whatever was thrown as the error to send; it ends its span, and what is our fault is logged here, once. */
function judged(
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

/** The context a handler sees. Its signal is made when first asked for: most handlers never do. */
function contextOf(method: DescMethod, call: ServerCall, behind: Call): HandlerContext {
  let signal: AbortSignal | undefined;
  return {
    method,
    service: method.parent,
    protocolName: "grpc",
    requestMethod: "POST",
    url: call.getPath(),
    values: valuesOf(behind),
    timeoutMs: () => behind.deadline - Date.now(),
    requestHeader: new Headers(),
    responseHeader: new Headers(),
    responseTrailer: new Headers(),
    get signal() {
      signal ??= abortedWith(call);
      return signal;
    },
  };
}

function abortedWith(call: ServerCall): AbortSignal {
  const controller = new AbortController();
  if (call.cancelled) controller.abort();
  call.once("cancelled", () => controller.abort());
  return controller.signal;
}

const requestIdOf = ({ metadata }: ServerCall): string => text(metadata, "x-request-id") ?? "";

function text(metadata: grpc.Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === "string" ? value : undefined;
}
