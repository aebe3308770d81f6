import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { SpanKind } from "@opentelemetry/api";
import { receiveSpans } from "#lib/harness/otlp.ts";
import { until } from "#lib/harness/until.ts";
import { newTraceparent } from "../call.ts";
import { startTelemetry } from "../telemetry.ts";
import { begin, step } from "../trace.ts";

const receiver = await receiveSpans();
const telemetry = await startTelemetry({ name: "graph-1", otlpUrl: receiver.url });
after(async () => {
  await telemetry.close();
  await receiver[Symbol.asyncDispose]();
});

const traced = () => `${newTraceparent().slice(0, -2)}01`;
const traceIdOf = (traceparent: string) => traceparent.slice(3, 35);
const spansOf = (traceparent: string) => receiver.spans.filter(({ traceId }) => traceId === traceIdOf(traceparent));
/** Spans are sent in order: when this one came, those before it did. */
async function sent(): Promise<void> {
  const traceparent = traced();
  begin("last", SpanKind.SERVER, { traceparent }).end();
  await until("spans are sent", () => spansOf(traceparent).length === 1);
}
const serve = (traceparent: string, tracestate?: string) =>
  begin("FollowUser", SpanKind.SERVER, { traceparent, tracestate });

test("sampled work is a span below its parent, and so are its steps; a client's mistake is no error", async () => {
  const parent = traced();
  const work = serve(parent);
  await work.run(() => step("SELECT follow", SpanKind.CLIENT, {}, async () => {}));
  work.fail(Code.NotFound);
  work.end();
  await sent();
  const [statement, span] = spansOf(parent);
  assert.equal(span?.name, "FollowUser");
  assert.equal(span?.parentId, parent.slice(36, 52));
  assert.deepEqual([span?.service, span?.instance, span?.error], ["graph", "graph-1", undefined]);
  assert.equal(statement?.parentId, span?.spanId);
  assert.equal(work.traceparent, `00-${span?.traceId}-${span?.spanId}-01`);
});

test("work that is not sampled leaves nothing, unless it fails by our fault", async () => {
  const [fine, wrong, broken] = [newTraceparent(), newTraceparent(), newTraceparent()];
  serve(fine).end();
  const refused = serve(wrong);
  refused.fail(Code.InvalidArgument);
  refused.end();
  const failed = serve(broken);
  failed.fail(Code.Unavailable);
  assert.deepEqual([refused.isKept, failed.isKept], [false, true]);
  failed.end();
  await sent();
  assert.deepEqual([spansOf(fine), spansOf(wrong)], [[], []]);
  const [span, ...more] = spansOf(broken);
  assert.deepEqual(more, []);
  assert.equal(span?.error, "error");
  assert.equal(span?.attributes["rpc.response.status_code"], "Unavailable");
  assert.equal(span?.parentId, undefined, "what is above it was not kept, so it is a root");
});

test("errors that are kept make a tree: whoever is told that a callee is kept is kept above it", async () => {
  const came = newTraceparent();
  const caller = serve(came);
  // A proxy puts its own id into traceparent, though it keeps nothing, and leaves tracestate alone.
  const proxied = `${caller.traceparent.slice(0, 36)}${"ab".repeat(8)}-00`;
  const callee = serve(proxied, `other=1,${caller.tracestate}`);
  callee.fail(Code.Internal);
  callee.end();
  caller.keep();
  caller.end();
  await sent();
  const [below, above] = spansOf(came);
  assert.equal(below?.parentId, above?.spanId);
  assert.equal(above?.spanId, caller.traceparent.slice(36, 52));
  assert.deepEqual([above?.parentId, above?.error], [undefined, undefined]);
});

test("a flood of errors is not kept whole: twenty a second tell as much", async () => {
  const failures = Array.from({ length: 1_000 }, () => {
    const work = serve(newTraceparent());
    work.fail(Code.Unavailable);
    work.end();
    return work.isKept;
  });
  const kept = failures.filter(Boolean).length;
  assert.ok(kept <= 40, `${kept} kept, in at most two seconds`);
});

test("a forced trace begins where it was forced, under the id that the request has", async () => {
  const came = newTraceparent();
  const work = begin("request", SpanKind.SERVER, { traceparent: came, isForced: true });
  work.end();
  assert.ok(work.isSampled);
  await sent();
  const [span] = spansOf(came);
  assert.equal(span?.parentId, undefined);
  assert.equal(span?.traceId, traceIdOf(came));
});
