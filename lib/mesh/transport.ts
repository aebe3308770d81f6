import { isIPv4 } from "node:net";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  getOption,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { ContextValues, StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import { policy, RetryClass } from "#gen/skein/options/v1/options_pb.ts";
import "./ended-streams.ts";
import { batchOf } from "./batch.ts";
import { type Call, callOf, timeLeftMs } from "./call.ts";
import { channelOptions, methodDefinition } from "./codec.ts";
import { afterKey, encodeFacts, hear, type Told, toldKey } from "./facts.ts";
import { gathering } from "./gather.ts";
import { calledRpc } from "./rpc-metrics.ts";
import { fromStatus, isBrokenOff, keptKey } from "./status.ts";
import { meshTokens } from "./token.ts";
import type { Work } from "./trace.ts";

type Options = {
  /**
   * Where the mesh listens, e.g. http://127.0.0.1:9000; several, with commas, are taken in turn. Without a proxy, each
   * service's own address: graph=http://127.0.0.1:9001,user=http://127.0.0.1:9002.
   */
  readonly address: string;
  /** The name this process calls under. */
  readonly caller: string;
  /** The deployment's internal key, base64url. */
  readonly key: string;
};

/**
 * A Connect transport that speaks gRPC through grpc-js, so that `createClient` gives typed clients at a fifth of
 * connect-node's CPU. Every call must run inside another one (`within(ctx)`): deadline, viewer, trace and request id
 * come from there. One connection to each proxy; Envoy balances its streams. Envoy also retries, but for two cases it cannot: an
 * answer that broke off after its headers had passed, and more calls at once than its budget holds when a replica dies.
 * Such a call is sent once more here, if its contract says it may be.
 */
export function grpcTransport({ address, caller, key }: Options): Transport & { close(): void } {
  const clients = openClients(address);
  const tokens = meshTokens(key);
  const mint = ({ viewerId }: Pick<Call, "viewerId">) => tokens.mint({ caller, viewerId });
  const outgoing: Outgoing = (values) => {
    if (values === undefined) throw new Error("an RPC outside any call: pass within(ctx)");
    const call = callOf({ values });
    timeLeftMs(call);
    const metadata = new grpc.Metadata();
    metadata.set("skein-token", mint(call));
    metadata.set("traceparent", call.traceparent);
    metadata.set("x-request-id", call.requestId);
    if (call.work?.tracestate !== undefined) metadata.set("tracestate", call.work.tracestate);
    if (call.after !== undefined) metadata.set(afterKey, encodeFacts(call.after));
    return { metadata, options: { deadline: call.deadline }, work: call.work, told: call.told };
  };
  const { of, close } = clients;
  return { unary: togetherOver(unaryOver(of, outgoing), mint), stream: streamOver(of, outgoing), close };
}

type ClientOf = (method: DescMethod) => grpc.Client;

/** One client for all services, or one each where each has its own address. */
function openClients(address: string): { of: ClientOf; close(): void } {
  const pairs = address.split(",").map((each) => /^(\w+)=(.+)$/.exec(each));
  if (pairs.every((pair) => pair === null)) {
    const client = openClient(address);
    return { of: () => client, close: () => client.close() };
  }
  const byNoun = new Map(pairs.map((pair) => [pair?.[1] ?? "", openClient(pair?.[2] ?? "")]));
  return {
    of({ parent }) {
      const client = byNoun.get(parent.typeName.split(".")[1] ?? "");
      if (client === undefined) throw new Error(`nobody said where ${parent.typeName} is`);
      return client;
    },
    close() {
      for (const client of byNoun.values()) client.close();
    },
  };
}

function openClient(address: string): grpc.Client {
  return new grpc.Client(targetOf(address), grpc.credentials.createInsecure(), {
    ...channelOptions,
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    "grpc.service_config_disable_resolution": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    // Soon, because until then only the other proxy is left, and it may be the next to go.
    "grpc.max_reconnect_backoff_ms": 300,
    // A proxy that hangs says nothing: without pings every call whose turn it is waits for its deadline. It is left soon
    // enough for a call to be sent again within most deadlines (2 s), and later than a busy process takes to read an answer.
    "grpc.keepalive_time_ms": 400,
    "grpc.keepalive_timeout_ms": 800,
  });
}

/** grpc-js' name for one host, or for several that are numbers: it resolves one name to many, but not many names. */
function targetOf(address: string): string {
  const urls = address.split(",").map((each) => new URL(each));
  const hosts = urls.map(({ hostname, port }) => `${hostname}:${port || 80}`);
  if (urls.length === 1) return hosts.join();
  const name = urls.find(({ hostname }) => !isIPv4(hostname));
  if (name !== undefined) throw new Error(`of several proxies each is an IPv4 address; ${name.hostname} is not`);
  return `ipv4:${hosts.join(",")}`;
}

/** Until Envoy has learnt of a replica's death from the calls before. */
const againMs = 25;

type Sent = {
  readonly metadata: grpc.Metadata;
  readonly options: grpc.CallOptions;
  /** What the call is made for. */
  readonly work: Work | undefined;
  readonly told: Told | undefined;
};
type Outgoing = (values: ContextValues | undefined) => Sent;

const unaryOver =
  (clientOf: ClientOf, outgoing: Outgoing): Transport["unary"] =>
  <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    _timeoutMs: unknown,
    _header: unknown,
    input: MessageInitShape<I>,
    values?: ContextValues,
  ) =>
    new Promise<UnaryResponse<I, O>>((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize, called } = definitionOf(method);
      const client = clientOf(method);
      const sent = create(method.input, input);
      const send = (isLast: boolean) => {
        const { metadata, options, ...own } = outgoing(values);
        const call = client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          sent,
          metadata,
          options,
          (err, reply) => {
            called(err === null ? undefined : (err.code as number));
            if (err === null)
              resolve({ ...envelopeOf(method), stream: false, method, message: reply as MessageShape<O> });
            else if (!isLast && isBrokenOff(err)) setTimeout(again, againMs);
            else reject(fromStatus(err));
          },
        );
        heed(call, own);
        signal?.addEventListener("abort", () => call.cancel(), { once: true });
      };
      const again = () => {
        try {
          signal?.throwIfAborted();
          send(true);
        } catch (reason) {
          reject(reason); // Its deadline passed meanwhile, or nobody waits any more.
        }
      };
      send(getOption(method, policy).retry !== RetryClass.UNAVAILABLE);
    });

/** The same, and calls of an RPC that has a batch go together where they wait together. */
function togetherOver(unary: Transport["unary"], mint: (call: Call) => string): Transport["unary"] {
  const batches = new Map<DescMethod, ReturnType<typeof gathering> | undefined>();
  const batchFor = (method: DescMethodUnary) => {
    if (batches.has(method)) return batches.get(method);
    const together = batchOf(method);
    const envelope = (message: Message) => ({ ...envelopeOf(method), stream: false, method, message }) as UnaryResponse;
    const batch = together && gathering({ method, together, unary, envelope, mint });
    batches.set(method, batch);
    return batch;
  };
  return (method, signal, timeoutMs, header, input, values) => {
    const alone = () => unary(method, signal, timeoutMs, header, input, values);
    const batch = signal === undefined && values !== undefined ? batchFor(method) : undefined;
    return batch === undefined ? alone() : (batch(input, values as ContextValues, alone as never) as never);
  };
}

const streamOver =
  (clientOf: ClientOf, outgoing: Outgoing): Transport["stream"] =>
  async <I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    _timeoutMs: unknown,
    _header: unknown,
    input: AsyncIterable<MessageInitShape<I>>,
    values?: ContextValues,
  ): Promise<StreamResponse<I, O>> => {
    if (method.methodKind !== "server_streaming") throw new Error(`${method.name}: only servers stream in this mesh`);
    const { path, requestSerialize, responseDeserialize, called } = definitionOf(method);
    const { metadata, options, ...own } = outgoing(values);
    const sent = create(method.input, await first(input));
    const call = clientOf(method).makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      sent,
      metadata,
      options,
    );
    heed(call, own);
    signal?.addEventListener("abort", () => call.cancel(), { once: true });
    return {
      ...envelopeOf(method),
      stream: true,
      method,
      message: read(call, called) as AsyncIterable<MessageShape<O>>,
    };
  };

/**
 * Takes what the callee says with its answer. A span that is kept below makes the ones above it kept, up to the root: no tree
 * has a branch that hangs in the air. Facts told below are told by this call.
 */
function heed(
  call: grpc.ClientUnaryCall | grpc.ClientReadableStream<Message>,
  { work, told }: Pick<Sent, "work" | "told">,
): void {
  const unkept = work?.isSampled === false ? work : undefined;
  if (unkept === undefined && told === undefined) return;
  call.on("status", ({ metadata }: grpc.StatusObject) => {
    if (unkept !== undefined && metadata.get(keptKey).length > 0) unkept.keep();
    if (told !== undefined) for (const text of metadata.get(toldKey)) hear(told, String(text));
  });
}

const envelopeOf = (method: DescMethod) => ({ service: method.parent, header: noHeaders, trailer: noHeaders });

const noHeaders = new Headers();

type Definition = grpc.MethodDefinition<Message, Message> & { readonly called: ReturnType<typeof calledRpc> };

const definitions = new WeakMap<object, Definition>();
function definitionOf(method: DescMethodUnary | DescMethodStreaming): Definition {
  const known = definitions.get(method) ?? { ...methodDefinition(method), called: calledRpc(method) };
  definitions.set(method, known);
  return known;
}

async function first<T>(input: AsyncIterable<T>): Promise<T> {
  for await (const message of input) return message;
  throw new Error("a call without a request");
}

/** A reader that leaves early cancels the call; what the cancelled stream says then concerns nobody. */
async function* read(call: grpc.ClientReadableStream<Message>, called: Definition["called"]): AsyncGenerator<Message> {
  call.on("error", () => {});
  call.once("status", ({ code }) => called(code === 0 ? undefined : (code as number)));
  try {
    for await (const message of call) yield message as Message;
  } catch (reason) {
    throw fromStatus(reason as grpc.ServiceError);
  } finally {
    call.cancel();
  }
}
