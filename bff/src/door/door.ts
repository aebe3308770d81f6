import { create, type Message, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import type { Binding } from "./binding.ts";
import { hasBody, readJsonText } from "./body.ts";
import { DoorContext } from "./context.ts";
import { messageFromJson } from "./json.ts";
import { createMatcher, type Match } from "./match.ts";
import { admit, type Gate, perform } from "./policy.ts";
import { messageFromUrl, refuseParameters } from "./query.ts";
import { isRendered, type Rendered } from "./rendered.ts";
import type { Context, Middleware } from "./state.ts";

/** The JSON door: answers every annotated RPC of the public tree. Who is asking is settled before the body is read. */
export function door(bindings: readonly Binding[], gate: Gate): Middleware {
  const matcher = createMatcher(bindings);
  return async (ctx) => {
    const { req, res } = ctx;
    const match = matcher(ctx.method, ctx.path);
    const { binding } = match;
    ctx.state.binding = binding;
    ctx.state.work.rename(binding.name);
    const viewerId = await admit(binding, req, gate);
    const request = await requestOf(ctx, match);
    const reply = await perform(binding, { ...ctx.state, head: req, res, viewerId }, gate, async (call) => {
      const handling = new DoorContext({ protocolName: "json", method: binding.method, call, req, res });
      const answer = await binding.handler(request as never, handling);
      for (const [name, value] of handling.written) ctx.set(name, value);
      return answer as Reply;
    });
    ctx.status = binding.status;
    ctx.set("Content-Type", "application/json");
    ctx.body = bytesOf(binding, reply);
  };
}

type Reply = MessageInitShape<Binding["method"]["output"]> | Rendered;

async function requestOf(ctx: Context, { binding, path }: Match): Promise<Message> {
  if (!binding.hasBody) return messageFromUrl(binding, path, ctx.querystring);
  refuseParameters(ctx.querystring);
  const text = binding.isBodyOptional && !hasBody(ctx.req) ? "{}" : await readJsonText(ctx.req);
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
  if (isRendered(reply)) return reply.json();
  const message: Message = create(method.output, reply);
  const desc = shown?.message ?? method.output;
  const value =
    shown === undefined ? message : (message as unknown as Record<string, Message | undefined>)[shown.localName];
  if (value === undefined) throw new Error(`${name} answered without ${shown?.localName}`);
  return Buffer.from(JSON.stringify(toJson(desc, value, { alwaysEmitImplicit: true })));
}
