import type Koa from "koa";
import type { Binding } from "./binding.ts";

/** What the onion knows about a request. */
export type State = {
  requestId: string;
  traceparent: string;
  /** The RPC it is for, once that is known. */
  binding?: Binding;
};

export type Context = Koa.ParameterizedContext<State>;
export type Middleware = Koa.Middleware<State>;
