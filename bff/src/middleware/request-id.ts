import { randomUUID } from "node:crypto";
import { SpanKind } from "@opentelemetry/api";
import { traceparentFrom } from "#lib/mesh/call.ts";
import { begin, type Work } from "#lib/mesh/trace.ts";
import type { Middleware } from "../door/state.ts";
import type { Head } from "../session.ts";

const requestIdForm = /^[A-Za-z0-9._-]{1,64}$/;

/** A request with its name and its span. */
export type Named = { readonly requestId: string; readonly work: Work };

/** Names a request and begins its span. `isForced` decides whether its sender may have it traced. */
export type Naming = (head: Pick<Head, "headers">) => Named;

/** By the edge's id and trace where it sent well-formed ones, by new ones otherwise. */
export const naming =
  (isForced: (header: string) => boolean): Naming =>
  ({ headers }) => {
    const { "x-request-id": sent, traceparent, "debug-trace": wish } = headers;
    const requestId = typeof sent === "string" && requestIdForm.test(sent) ? sent : randomUUID();
    const came = {
      traceparent: traceparentFrom(typeof traceparent === "string" ? traceparent : undefined),
      isForced: typeof wish === "string" && isForced(wish),
    };
    return { requestId, work: begin("request", SpanKind.SERVER, came) };
  };

/** Tells the client its request's id, and where to look for it if it is traced (W3C Trace Context 2, `traceresponse`). */
export function tellNames({ requestId, work }: Named, set: (name: string, value: string) => unknown): void {
  set("X-Request-Id", requestId);
  if (work.isSampled) set("Traceresponse", work.traceparent);
}

/** The outermost layer: what happens to a request below it happens in its span. */
export const requestId =
  (name: Naming): Middleware =>
  async (ctx, next) => {
    const named = name(ctx.req);
    const { work } = named;
    Object.assign(ctx.state, named);
    tellNames(named, (header, value) => ctx.set(header, value));
    try {
      await work.run(next);
    } finally {
      if (work.isSampled || work.isKept) {
        work.note({ "http.request.method": ctx.method, "http.response.status_code": ctx.status });
      }
      work.end();
    }
  };
