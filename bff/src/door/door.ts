import { create, type Message, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { SpanKind } from "@opentelemetry/api";
import type { Call } from "#lib/mesh/call.ts";
import { begin } from "#lib/mesh/trace.ts";
import type { Session } from "../session.ts";
import type { Binding } from "./binding.ts";
import { readJsonText } from "./body.ts";
import { DoorContext } from "./context.ts";
import { checkIdempotencyKey } from "./idempotency.ts";
import { messageFromJson } from "./json.ts";
import { createMatcher, type Match } from "./match.ts";
import { messageFromUrl, refuseParameters } from "./query.ts";
import type { Context, Middleware } from "./state.ts";

/**
 * The JSON door: answers every annotated RPC of the public tree. Who is asking is settled before the body is read;
 * the time an RPC has begins when its request is complete, so that a slow upload does not eat it.
 */
export function door(bindings: readonly Binding[], session: Session): Middleware {
  const matcher = createMatcher(bindings);
  return async (ctx) => {
    const match = matcher(ctx.method, ctx.path);
    const { binding } = match;
    ctx.state.binding = binding;
    const viewerId = await session.viewerOf(ctx.req, binding.policy.auth);
    const request = await requestOf(ctx, match);
    checkIdempotencyKey(binding.policy, ctx.req);
    const reply = await handle(ctx, binding, request, viewerId);
    ctx.status = binding.status;
    ctx.set("Content-Type", "application/json");
    ctx.body = bytesOf(binding, reply);
  };
}

type Reply = MessageInitShape<Binding["method"]["output"]>;

/** Runs the handler inside a call and a span of its own. */
async function handle(ctx: Context, binding: Binding, request: Message, viewerId: string | undefined): Promise<Reply> {
  const work = begin(binding.name, SpanKind.SERVER, ctx.state.traceparent);
  const call: Call = {
    viewerId,
    caller: "bff",
    deadline: Date.now() + binding.policy.timeoutMs,
    traceparent: work.traceparent,
    requestId: ctx.state.requestId,
  };
  const handling = new DoorContext({ method: binding.method, call, req: ctx.req, res: ctx.res });
  try {
    const reply = await binding.handler(request as never, handling);
    for (const [name, value] of handling.written) ctx.set(name, value);
    work.end();
    return reply as Reply;
  } catch (reason) {
    work.end(Code[ConnectError.from(reason, Code.Internal).code]);
    throw reason;
  }
}

async function requestOf(ctx: Context, { binding, path }: Match): Promise<Message> {
  if (!binding.hasBody) return messageFromUrl(binding, path, ctx.querystring);
  refuseParameters(ctx.querystring);
  const text = await readJsonText(ctx.req);
  return Object.assign(messageFromJson(binding.method.input, text), localNames(binding, path));
}

/** The path wins over the body: it is what every rule in front of us has seen. */
function localNames({ method }: Binding, path: Match["path"]): Record<string, string> {
  const named: Record<string, string> = {};
  for (const { name, localName } of method.input.fields) if (path[name] !== undefined) named[localName] = path[name];
  return named;
}

/** A Buffer costs Koa a third of what a string does. */
function bytesOf({ name, method, shown }: Binding, reply: Reply): Buffer {
  const message: Message = create(method.output, reply);
  const desc = shown?.message ?? method.output;
  const value =
    shown === undefined ? message : (message as unknown as Record<string, Message | undefined>)[shown.localName];
  if (value === undefined) throw new Error(`${name} answered without ${shown?.localName}`);
  return Buffer.from(JSON.stringify(toJson(desc, value, { alwaysEmitImplicit: true })));
}
