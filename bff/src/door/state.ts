import type Koa from "koa";
import type { Work } from "#lib/mesh/trace.ts";
import type { Binding } from "./binding.ts";

/** What the onion knows about a request. */
export type State = {
  requestId: string;
  /** Its span, from its first byte to its answer. */
  work: Work;
  /** The RPC it is for, once that is known. */
  binding?: Binding;
};

export type Context = Koa.ParameterizedContext<State>;
export type Middleware = Koa.Middleware<State>;
