import type { DescField } from "@bufbuild/protobuf";
import {
  Code,
  type ConnectError,
  type ConnectRouterOptions,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { UniversalHandlerFn, UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import { valuesOf } from "#lib/mesh/call.ts";
import { problem } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import type { Admission } from "../middleware/shed.ts";
import { bodyBytesMax, readBytes } from "./body.ts";
import { answered, doorOf } from "./door-metrics.ts";
import { fieldNamed, report, retryAfterOf, tell, wayOn } from "./failure.ts";
import { checkMessage, compressions } from "./message.ts";
import { answerPlainly, isPlain } from "./plain-connect.ts";
import { admit, type Gate, perform, requirePolicy } from "./policy.ts";
import { isRendered, messageOf } from "./rendered.ts";
import type { Rpc } from "./rpc.ts";
import type { Exchange, RpcHandler } from "./rpc-door.ts";
import { writeResponse } from "./write.ts";

/** A page of a hundred of the longest posts fits twice; the mesh sends no more either. */
const answerBytesMax = 4 * 1024 * 1024;
/** Never: compressing what leaves the system is the edge's work. */
const compressBytesMin = 0xffff_ffff;

/** What connect-node is held to. Its own limits are 4 GiB a message, any time, and any JSON. */
export const routerOptions: ConnectRouterOptions = {
  readMaxBytes: bodyBytesMax,
  writeMaxBytes: answerBytesMax,
  acceptCompression: compressions,
  compressMinBytes: compressBytesMin,
  // No form and no link of another site can send this header.
  requireConnectProtocolHeader: true,
  jsonOptions: { alwaysEmitImplicit: true, ignoreUnknownFields: false },
};

type Parts = Gate & { readonly log: Log; readonly admission: Admission };

/** One request on its way through connect-node. */
export type Asked = Exchange & {
  readonly rpc: Rpc;
  viewerId: string | undefined;
  /** The handler answered; an error after that is that its answer could not be written. */
  answered: boolean;
  trailer: Headers | undefined;
  /** What it was refused with here. */
  code: Code | undefined;
  /** Decided already: nothing is asked, this is the answer. */
  failure: ConnectError | undefined;
};
const askedKey = createContextKey<Asked | undefined>(undefined, { description: "skein request" });

const askedOf = ({ values }: Pick<HandlerContext, "values">): Asked => {
  const asked = values.get(askedKey);
  if (asked === undefined) throw new Error("a request that did not come through the door");
  return asked;
};

/**
 * Connect, gRPC-web and gRPC over the handlers that also answer JSON, by their RPC paths. What the policy demands is met in
 * the same order as there: a place, who calls, the message, the key, the handler in time.
 */
export function rpcHandlers(rpcs: readonly Rpc[], parts: Parts): Map<string, RpcHandler> {
  const router = createConnectRouter({ ...routerOptions, requestGate: (ctx) => gate(ctx, parts) });
  for (const rpc of rpcs) {
    requirePolicy(rpc);
    router.rpc(rpc.method, (request, ctx) => answer(request, ctx, parts));
  }
  const byPath = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return new Map(
    rpcs.map((rpc) => {
      const path = `/${rpc.method.parent.typeName}/${rpc.method.name}`;
      return [path, (exchange) => serve(rpc, byPath.get(path) as UniversalHandlerFn, exchange, parts)];
    }),
  );
}

async function serve(rpc: Rpc, handler: UniversalHandlerFn, exchange: Exchange, parts: Parts): Promise<void> {
  const fresh = { viewerId: undefined, answered: false, trailer: undefined, code: undefined, failure: undefined };
  const asked: Asked = { ...exchange, ...fresh, rpc };
  exchange.work.rename(rpc.name);
  const sinceMs = performance.now();
  try {
    await exchanged(handler, asked, parts);
  } finally {
    // What was neither answered nor refused here was no request of these protocols: connect-node refused it.
    const code = asked.code ?? (asked.answered ? undefined : Code.InvalidArgument);
    answered(rpc, doorOf(exchange.req.headers["content-type"]), code, sinceMs);
  }
}

async function exchanged(handler: UniversalHandlerFn, asked: Asked, parts: Parts): Promise<void> {
  const { req, res } = asked;
  if (isPlain(req)) {
    try {
      asked.res.once("close", parts.admission.enter());
      return await answerPlainly(asked, parts);
    } catch (reason) {
      asked.failure = refusal(reason, asked, parts);
    }
  }
  const values = createContextValues().set(askedKey, asked);
  const request = universalRequestFromNodeRequest(req, res, undefined, values);
  // The length is ours to judge, in our own words.
  request.header.delete("content-length");
  let response = await handler({ ...request, body: checkedBody(asked, request, parts) });
  if (asked.answered && isError(response, asked.trailer)) {
    asked.failure = refusal(new Error("the answer cannot be written"), asked, parts);
    response = await handler(request);
  }
  // connect-node names its compressions in the refusal of another one, and then drops the header.
  if (/^application\/grpc/.test(request.header.get("content-type") ?? "")) {
    res.setHeader("Grpc-Accept-Encoding", compressions.map(({ name }) => name).join(","));
  }
  if (response.status === 405) res.setHeader("Allow", "POST");
  await writeResponse(response, res);
}

const isError = ({ status }: UniversalServerResponse, trailer: Headers | undefined): boolean =>
  status !== 200 || (trailer?.get("grpc-status") ?? "0") !== "0";

/** Before anything of the body is read. */
async function gate(ctx: HandlerContext, parts: Parts): Promise<void> {
  const asked = askedOf(ctx);
  if (asked.failure !== undefined) throw asked.failure;
  try {
    asked.res.once("close", parts.admission.enter());
    asked.viewerId = await admit(asked.rpc, asked.req, parts);
  } catch (reason) {
    throw refusal(reason, asked, parts);
  }
}

/** The body as it came, once it is held to our limits. */
async function* checkedBody(
  asked: Asked,
  { header }: UniversalServerRequest,
  parts: Parts,
): AsyncGenerator<Uint8Array> {
  try {
    const bytes = await readBytes(asked.req);
    await checkMessage(asked.rpc, header, bytes);
    yield bytes;
  } catch (reason) {
    throw refusal(reason, asked, parts);
  }
}

async function answer(request: unknown, ctx: HandlerContext, parts: Parts): Promise<Record<string, unknown>> {
  const asked = askedOf(ctx);
  const { rpc, req: head } = asked;
  try {
    const reply = await perform(rpc, { ...asked, head, timeoutMs: ctx.timeoutMs() }, parts, (call) =>
      rpc.handler(request as never, { ...ctx, values: valuesOf(call) }),
    );
    asked.trailer = ctx.responseTrailer;
    asked.answered = true;
    const isJson = /json/i.test(head.headers["content-type"] ?? "");
    return (isRendered(reply) ? messageOf(rpc.method.output, reply, isJson) : reply) as Record<string, unknown>;
  } catch (reason) {
    throw refusal(reason, asked, parts);
  }
}

/** The error as these protocols carry it: code, google.rpc.ErrorInfo, BadRequest. What is our fault is logged here, once. */
function refusal(thrown: unknown, asked: Asked, { log }: Parts): ConnectError {
  const { code, reason, message, violations, isFault } = tell(thrown, (field) => fieldOf(asked.rpc, field));
  asked.work.fail(code);
  if (isFault) report(log, asked, thrown);
  asked.code = code;
  const err = problem(code, reason, message, violations);
  if (code === Code.Unauthenticated) err.metadata.set("WWW-Authenticate", "Bearer");
  const wait = retryAfterOf(code, thrown);
  if (wait !== undefined) err.metadata.set("Retry-After", wait);
  return err;
}

/** A value by its path in the contract, also where JSON pointed to it; a header by its name. */
function fieldOf(rpc: Rpc, field: string): string | undefined {
  const { isPath, own, within } = fieldNamed(rpc, field);
  if (isPath) return own && within.reduce<string>(spelled, own.name);
  if (!field.startsWith("/")) return field;
  const [key = "", ...rest] = field.slice(1).split("/");
  const first = rpc.method.input.fields.find(({ jsonName }) => jsonName === key);
  return first === undefined ? key : wayOn(first, rest).reduce<string>(spelled, first.name);
}

const spelled = (path: string, step: DescField | number): string =>
  typeof step === "number" ? `${path}[${step}]` : `${path}.${step.name}`;
