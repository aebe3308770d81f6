import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import {
  type Arrived,
  answering,
  contextOf,
  type Handler,
  judged,
  type Meet,
  meetAnyone,
  meetCaller,
  workOf,
} from "./answer.ts";
import "./ended-streams.ts";
import { answeringTogether, batchedBy } from "./batch.ts";
import { channelOptions, methodDefinition } from "./codec.ts";
import { problem } from "./errors.ts";
import { afterKey, encodeFacts, type Told, toldKey } from "./facts.ts";
import type { Log } from "./log.ts";
import { servedRpc } from "./rpc-metrics.ts";
import { keptKey, toStatus } from "./status.ts";
import type { MeshTokens } from "./token.ts";
import type { Work } from "./trace.ts";

/** A service and what answers it. */
export type Hosted = { readonly desc: DescService; readonly impl: object; readonly open?: boolean };

/**
 * Pairs a service with its handlers, typed as Connect types them. A batch has none: it is answered by the handler of the RPC
 * it batches. `open`: no token asked (health).
 */
export const host = <S extends DescService>(desc: S, impl: Partial<ServiceImpl<S>>, open = false): Hosted => ({
  desc,
  impl,
  open,
});

type Options = { readonly log: Log; readonly tokens: MeshTokens };
type ServerCall = grpc.ServerUnaryCall<Message, Message> | grpc.ServerWritableStream<Message, Message>;

/**
 * A grpc-js server over Connect handlers: the one bridge between the two. What is done with a call is in answer.ts; here it is
 * read from what grpc-js brings, and its answer or its error is handed back.
 */
export function createServer(hosted: readonly Hosted[], { log, tokens }: Options): grpc.Server {
  const server = new grpc.Server({
    ...channelOptions,
    "grpc.max_concurrent_streams": 1000,
    "grpc.keepalive_time_ms": 30_000,
  });
  for (const { desc, impl, open = false } of hosted) {
    const definitions: Record<string, grpc.MethodDefinition<Message, Message>> = {};
    const handlers: grpc.UntypedServiceImplementation = {};
    const meetOf = (method: DescMethod) => (open ? meetAnyone : meetCaller(method, tokens));
    const handlerOf = (method: DescMethod): Handler => {
      const handler = (impl as Record<string, Handler>)[method.localName];
      if (handler !== undefined) return handler;
      const batched = batchedBy(method);
      if (batched === undefined) throw new Error(`${desc.typeName}.${method.name} has no handler`);
      return answeringTogether(batched, answering(batched, handlerOf(batched), meetOf(batched), log));
    };
    for (const method of desc.methods) {
      definitions[method.localName] = methodDefinition(method);
      const answer = method.methodKind === "server_streaming" ? streaming : unary;
      handlers[method.localName] = answer(method, handlerOf(method), meetOf(method), log);
    }
    server.addService(definitions, handlers);
  }
  return server;
}

function unary(method: DescMethod, handler: Handler, meet: Meet, log: Log): grpc.handleUnaryCall<Message, Message> {
  const answered = answering(method, handler, meet, log);
  return async (call, answer) => {
    const { work, told, ...outcome } = await answered(arrived(call), call.request);
    if (outcome.err === undefined) answer(null, outcome.reply as Message, trailerOf(work, told));
    else answer(statusOf(outcome.err, work));
  };
}

function streaming(
  method: DescMethod,
  handler: Handler,
  meet: Meet,
  log: Log,
): grpc.handleServerStreamingCall<Message, Message> {
  const served = servedRpc(method);
  return async (call) => {
    const sinceMs = performance.now();
    const came = arrived(call);
    const work = workOf(method, came);
    let caller = "";
    try {
      const behind = meet(came);
      caller = behind.caller;
      const ctx = contextOf(method, came, { ...behind, traceparent: work.traceparent, work });
      const replies = work.run(() => handler(call.request, ctx)) as AsyncIterable<Message>;
      for await (const reply of inside(work, replies)) {
        if (call.cancelled) break;
        if (!call.write(reply)) await new Promise((go) => call.once("drain", go).once("cancelled", go));
      }
      work.end();
      call.end(trailerOf(work, behind.told));
      served(caller, call.cancelled ? Code.Canceled : undefined, sinceMs);
    } catch (reason) {
      const err = judged(reason, method, { work, log, caller, requestId: came.requestId });
      call.emit("error", statusOf(err, work));
      served(caller, err.code, sinceMs);
    }
  };
}

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
function statusOf(err: Parameters<typeof toStatus>[0], work: Work): Partial<grpc.StatusObject> {
  const status = toStatus(err);
  if (work.isKept) status.metadata?.set(keptKey, "1");
  return status;
}

const arrived = (call: ServerCall): Arrived => ({
  token: text(call.metadata, "skein-token"),
  traceparent: text(call.metadata, "traceparent"),
  tracestate: text(call.metadata, "tracestate"),
  requestId: text(call.metadata, "x-request-id") ?? "",
  after: text(call.metadata, afterKey),
  deadline: Number(call.getDeadline()),
  path: call.getPath(),
  signal: () => abortedWith(call),
});

/** Made once: each call ends so, also where it was answered, and an error made for each is 2 % of a busy process. */
const gone = problem(Code.Canceled, "canceled", "nobody waits for this any more");

function abortedWith(call: ServerCall): AbortSignal {
  const controller = new AbortController();
  if (call.cancelled) controller.abort(gone);
  call.once("cancelled", () => controller.abort(gone));
  return controller.signal;
}

function text(metadata: grpc.Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === "string" ? value : undefined;
}
