import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { after, test } from "node:test";
import { receiveSpans } from "#lib/harness/otlp.ts";
import { until } from "#lib/harness/until.ts";
import { treesOf } from "../infra/otel/tree.ts";
import { assertPost, kindNames, openDeeds, treeOf, words } from "./support/deeds.ts";
import { register } from "./support/person.ts";
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

test("requests by the other protocols, answered and refused, are trees as well", async () => {
  const { token } = await register(system.edge);
  const path = "/skein.api.v1.FeedService/ListHomeFeed";
  const empty = Buffer.alloc(5);
  const traceIds = new Map<string, string>();
  for (const [who, authorization] of [
    ["somebody", `Bearer ${token}`],
    ["nobody", "Bearer none"],
  ] as const) {
    for (const [type, body] of [
      ["application/json", "{}"],
      ["application/proto", new Uint8Array()],
      ["application/grpc-web+proto", empty],
    ] as const) {
      const headers = { "content-type": type, "connect-protocol-version": "1", authorization };
      const answer = await fetch(`${system.edge}${path}`, { method: "POST", headers, body });
      await answer.arrayBuffer();
      traceIds.set(`${type} by ${who}`, traceIdIn(answer.headers.get("traceresponse")));
    }
    const session = connect(system.edge);
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      authorization,
    });
    stream.end(empty);
    const [head] = (await once(stream, "response")) as [Record<string, string>];
    await once(stream.resume(), "close");
    session.close();
    traceIds.set(`application/grpc by ${who}`, traceIdIn(head.traceresponse));
  }
  for (const [what, traceId] of traceIds) {
    const deed = { what, traceId, status: 0, id: "" };
    const spans = () => receiver.spans.filter((span) => span.traceId === traceId);
    await until(`the tree of ${what}`, () => spans().length >= 3 && treesOf(spans()).orphans.length === 0);
    treeOf(deed, spans());
    assert.ok(
      spans().some(({ service, name }) => service === "bff" && name === "FeedService.ListHomeFeed"),
      what,
    );
  }
  assert.equal(new Set(traceIds.values()).size, 8);
});

const traceIdIn = (header: string | null | undefined): string => header?.slice(3, 35) ?? "";

test("spans tell ids and numbers: no text, name, secret or address of anybody", () => {
  const told = JSON.stringify(receiver.spans, (_, value) => (typeof value === "bigint" ? String(value) : value));
  for (const hidden of [words, ...people.secrets]) assert.ok(!told.includes(hidden), `a span tells ${hidden}`);
  const ofClients = receiver.spans.filter(({ name }) => name === "ingress").map(({ attributes }) => attributes);
  for (const withheld of ["http.url", "peer.address", "user_agent"]) {
    assert.deepEqual(new Set(ofClients.map((attributes) => attributes[withheld])), new Set(["withheld"]));
  }
});
