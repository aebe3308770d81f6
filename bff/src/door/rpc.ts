import {
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  getOption,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type Policy, policy } from "#gen/skein/options/v1/options_pb.ts";
import type { Rendered } from "./rendered.ts";

/** One RPC of the public tree with what answers it, before any door gives it a form. */
export type Rpc = {
  /** `PostService.CreatePost`, for logs and traces. */
  readonly name: string;
  readonly method: DescMethodUnary;
  readonly policy: Policy;
  readonly handler: (request: never, ctx: HandlerContext) => unknown;
};

/** What answers a service: as Connect has it, and an answer may be bytes already. */
export type Routes<S extends DescService> = {
  readonly [M in keyof S["method"]]: S["method"][M] extends DescMethodUnary<infer I, infer O>
    ? (
        request: MessageShape<I>,
        ctx: HandlerContext,
      ) => MessageInitShape<O> | Rendered | Promise<MessageInitShape<O> | Rendered>
    : never;
};

/** Every RPC of a service. One without a handler, and a stream, which no door serves yet, fail the start. */
export function rpcsOf<S extends DescService>(service: S, impl: Routes<S>): Rpc[] {
  const handlers = impl as unknown as Record<string, Rpc["handler"]>;
  return service.methods.map((method) => {
    const name = `${service.name}.${method.name}`;
    const handler = handlers[method.localName];
    if (!isUnary(method)) throw new Error(`${name}: no door serves streams`);
    if (handler === undefined) throw new Error(`${name} has no handler`);
    return { name, method, policy: getOption(method, policy), handler };
  });
}

const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === "unary";
