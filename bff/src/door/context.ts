import type { IncomingMessage, ServerResponse } from "node:http";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ContextValues, HandlerContext } from "@connectrpc/connect";
import { type Call, valuesOf } from "#lib/mesh/call.ts";

type Origin = {
  readonly protocolName: "json" | "connect";
  readonly method: DescMethod;
  readonly call: Call;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
};

/**
 * What a handler learns about the request it answers. Headers and the signal are made when first asked for: Connect's
 * own context arms a timer and two abort controllers for every request, and most handlers look at none of it.
 */
export class DoorContext implements HandlerContext {
  readonly method: DescMethod;
  readonly service: DescService;
  readonly requestMethod: string;
  readonly url: string;
  readonly protocolName: string;
  readonly values: ContextValues;
  readonly #origin: Origin;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #signal: AbortSignal | undefined;

  constructor(origin: Origin) {
    this.#origin = origin;
    this.method = origin.method;
    this.protocolName = origin.protocolName;
    this.service = origin.method.parent;
    this.requestMethod = origin.req.method ?? "";
    this.url = origin.req.url ?? "";
    this.values = valuesOf(origin.call);
  }

  readonly timeoutMs = (): number => this.#origin.call.deadline - Date.now();

  get requestHeader(): Headers {
    this.#requestHeader ??= headersOf(this.#origin.req);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  /** The headers a handler wrote, if it wrote any. */
  get written(): Iterable<[string, string]> {
    return this.#responseHeader ?? [];
  }

  /** Neither door that this is made for has trailers: what is put here goes nowhere. */
  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  /** Aborts when the client goes away. */
  get signal(): AbortSignal {
    this.#signal ??= signalOf(this.#origin.res);
    return this.#signal;
  }
}

function headersOf(req: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(req.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return headers;
}

function signalOf(res: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (res.destroyed) controller.abort();
  else res.once("close", () => controller.abort());
  return controller.signal;
}
