import assert from "node:assert/strict";
import { after, test } from "node:test";
import { receiveSpans } from "#lib/harness/otlp.ts";
import { until } from "#lib/harness/until.ts";
import { treesOf } from "../infra/otel/tree.ts";
import { assertPost, kindNames, openDeeds, treeOf, words } from "./support/deeds.ts";
import { startSystem } from "./support/system.ts";

/** Requests of all kinds, each traced. */
const requests = 1_000;

const receiver = await receiveSpans();
const system = await startSystem({}, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, TRACE_PERCENT: "100" });
after(async () => {
  await system.stop();
  await receiver[Symbol.asyncDispose]();
});
const people = await openDeeds(system.edge, 12);

test(`${requests} requests of all kinds: each is one connected tree, and a post's holds its followers' timelines`, async () => {
  await people.run(requests);
  const { deeds } = people;
  assert.equal(deeds.filter(({ traceId }) => traceId === "").length, 0, "every answer names its trace");
  assert.deepEqual(new Set(deeds.map(({ status }) => Math.floor(status / 100))), new Set([2, 4]));
  for (const kind of kindNames) assert.ok(deeds.filter(({ what }) => what === kind).length >= 50, kind);

  const posts = people.posts();
  assert.ok(posts.length >= 50);
  await until("every fan-out is told", () => {
    const reached = new Set(receiver.spans.filter(({ name }) => name === "fan-out").map(({ traceId }) => traceId));
    return posts.every(({ traceId }) => reached.has(traceId));
  });
  await until("nothing hangs in the air", () => treesOf(receiver.spans).orphans.length === 0);

  const byTrace = Map.groupBy(receiver.spans, ({ traceId }) => traceId);
  for (const deed of deeds) treeOf(deed, byTrace.get(deed.traceId) ?? []);
  for (const deed of posts) assertPost(treeOf(deed, byTrace.get(deed.traceId) ?? []));
});

test("spans tell ids and numbers: no text, name, secret or address of anybody", () => {
  const told = JSON.stringify(receiver.spans, (_, value) => (typeof value === "bigint" ? String(value) : value));
  for (const hidden of [words, ...people.secrets]) assert.ok(!told.includes(hidden), `a span tells ${hidden}`);
  const ofClients = receiver.spans.filter(({ name }) => name === "ingress").map(({ attributes }) => attributes);
  for (const withheld of ["http.url", "peer.address", "user_agent"]) {
    assert.deepEqual(new Set(ofClients.map((attributes) => attributes[withheld])), new Set(["withheld"]));
  }
});
