import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type HandlerContext } from "@connectrpc/connect";
import { SpanKind } from "@opentelemetry/api";
import { register } from "prom-client";
import {
  FeedService,
  type ListHomeFeedRequest,
  ListHomeFeedRequestSchema,
  ListHomeFeedResponseSchema,
} from "#gen/skein/feed/v1/feed_pb.ts";
import { until } from "#lib/harness/until.ts";
import { type Call, callOf, newTraceparent, onBehalfOfNobody, valuesOf, viewerOf } from "../call.ts";
import { explain, invalid, unavailable } from "../errors.ts";
import { createLog } from "../log.ts";
import { type Running, run } from "../run.ts";
import { host } from "../serve.ts";
import { fromStatusMessage } from "../status.ts";
import { meshTokens } from "../token.ts";
import { begin } from "../trace.ts";
import { grpcTransport } from "../transport.ts";

const key = randomBytes(32).toString("base64url");
const log = createLog({ name: "test", level: "error", write: () => {} });
const { mint } = meshTokens(key);

let running: Running;
let transport: ReturnType<typeof grpcTransport>;
let feed: Client<typeof FeedService>;
/** What the handler met, in order. */
let met: Call[] = [];
/** What each request meets: by its page token. */
let acts: Record<string, (ctx: HandlerContext) => Promise<void> | void> = {};

const listHomeFeed = async ({ pageToken }: ListHomeFeedRequest, ctx: HandlerContext) => {
  met.push(callOf(ctx));
  await acts[pageToken]?.(ctx);
  return { nextPageToken: pageToken === "huge" ? "x".repeat(3 * 2 ** 20) : `for ${viewerOf(ctx)}` };
};

const none = () => ({});

before(async () => {
  running = await run({
    log,
    tokens: meshTokens(key),
    host: "127.0.0.1",
    port: 0,
    services: [
      host(FeedService, {
        listHomeFeed,
        listAuthorFeed: none,
        listTagFeed: none,
        listQuoteFeed: none,
        listListFeed: none,
        listLocalFeed: none,
        setReadPosition: none,
        getReadPosition: none,
        explainPost: none,
        configureFanout: none,
      }),
    ],
    loops: [],
    ready: async () => {},
    drainMs: 0,
    close: [],
  });
  transport = grpcTransport({ address: `http://127.0.0.1:${running.port}`, caller: "bff", key });
  feed = createClient(FeedService, transport);
});
after(async () => {
  transport.close();
  await running.stop();
});
beforeEach(() => {
  met = [];
  acts = {};
});

const as = (viewerId: string, more: Partial<Call> = {}) => ({
  contextValues: valuesOf({
    viewerId,
    caller: "door",
    deadline: Date.now() + 2_000,
    traceparent: newTraceparent(),
    requestId: `r${viewerId}`,
    ...more,
  }),
});
const ask = async (viewerId: string, pageToken = "", more: Partial<Call> = {}) =>
  (await feed.listHomeFeed({ pageToken }, as(viewerId, more))).nextPageToken;

test("calls that wait together travel together, and each has its own viewer, name, deadline and answer", async () => {
  const viewers = Array.from({ length: 70 }, (_, nth) => String(nth + 1));
  const { items, batches } = await counting(async () => {
    assert.deepEqual(
      await Promise.all(viewers.map((viewer) => ask(viewer))),
      viewers.map((viewer) => `for ${viewer}`),
    );
  });
  assert.deepEqual([items, batches], [70, 3], "32 and 32 and 6");
  assert.deepEqual(met.map(({ viewerId }) => viewerId).sort(), viewers.toSorted());
  for (const { viewerId, caller, requestId, deadline } of met) {
    assert.deepEqual([caller, requestId], ["bff", `r${viewerId}`]);
    assert.ok(deadline <= Date.now() + 2_000);
  }
});

test("one call alone, a sampled one, one after a write and one in a hurry are not batched", async () => {
  const sampled = begin("a", SpanKind.SERVER, { traceparent: newTraceparent(), isForced: true });
  const { items, batches } = await counting(async () => {
    await ask("1");
    await Promise.all([
      ask("1", "", { work: sampled, traceparent: sampled.traceparent }),
      ask("2", "", { after: [{ noun: "post", shard: 1, id: 2n }] }),
      ask("3", "", { deadline: Date.now() + 500 }),
      ask("4"),
    ]);
  });
  assert.deepEqual([items, batches], [5, 0]);
  assert.deepEqual(met.find(({ viewerId }) => viewerId === "2")?.after, [{ noun: "post", shard: 1, id: 2n }]);
});

test("each call of a batch is met as if it came alone, and what is wrong with one is nothing to the others", async () => {
  acts.bad = () => Promise.reject(invalid("page_token", "must be nicer"));
  acts.broken = () => {
    throw new TypeError("a secret of ours");
  };
  const forged = meshTokens(randomBytes(32).toString("base64url")).mint({ caller: "bff", viewerId: "1" });
  const own = (viewerId: string) => mint({ caller: "bff", viewerId });
  const rows: [token: string, pageToken: string | Uint8Array, timeoutMs: number, due: string][] = [
    [own("1"), "", 1_000, "for 1"],
    [forged, "", 1_000, "unauthenticated"],
    ["", "", 1_000, "unauthenticated"],
    [own("1").replace(".1.", ".2."), "", 1_000, "unauthenticated"],
    [mint({ caller: "bff", viewerId: "1" }, Date.now() - 600_000), "", 1_000, "unauthenticated"],
    [mint({ caller: "bff", viewerId: undefined }), "", 1_000, "unauthenticated"],
    [mint({ caller: "like", viewerId: "1" }), "", 1_000, "forbidden"],
    [own("2"), "", 5, "deadline-exceeded"],
    [own("3"), "bad", 1_000, "validation"],
    [own("4"), "broken", 1_000, "internal"],
    [own("5"), Buffer.from("ff", "hex"), 1_000, "internal"],
    [own("6"), "", 1_000, "for 6"],
  ];
  const calls = rows.map(([token, sent, timeoutMs]) => ({
    token,
    timeoutMs,
    request:
      typeof sent === "string"
        ? toBinary(ListHomeFeedRequestSchema, {
            $typeName: "skein.feed.v1.ListHomeFeedRequest",
            pageSize: 0,
            pageToken: sent,
            after: "",
          })
        : sent,
  }));
  const { answers } = await feed.batchListHomeFeed({ calls }, onBehalfOfNobody("test", 2_000));
  const came = answers.map(({ result }) => {
    if (result.case === "response") return fromBinary(ListHomeFeedResponseSchema, result.value).nextPageToken;
    if (result.case !== "error") return result.case;
    const err = fromStatusMessage(result.value);
    assert.doesNotMatch(JSON.stringify(result.value), /secret/);
    return explain(err).reason ?? Code[err.code]?.toLowerCase();
  });
  assert.deepEqual(
    came,
    rows.map(([, , , due]) => due),
  );
  assert.deepEqual(
    met.map(({ viewerId }) => viewerId),
    ["1", "3", "4", "6"],
  );
});

test("an error arrives as it would alone, and its span is kept up to the root", async () => {
  acts.bad = () => Promise.reject(invalid("page_token", "must be nicer"));
  acts.broken = () => Promise.reject(new TypeError("a secret of ours"));
  const work = begin("root", SpanKind.SERVER, { traceparent: newTraceparent() });
  const outcomes = await Promise.allSettled([
    ask("1"),
    ask("2", "bad"),
    ask("3", "broken", { work, traceparent: work.traceparent }),
  ]);
  const [fine, bad, broken] = outcomes.map((outcome) =>
    outcome.status === "fulfilled" ? outcome.value : (outcome.reason as ConnectError),
  );
  assert.equal(fine, "for 1");
  assert.ok(bad instanceof ConnectError && broken instanceof ConnectError);
  assert.deepEqual(
    [bad.code, explain(bad)],
    [Code.InvalidArgument, { reason: "validation", violations: [{ field: "page_token", rule: "must be nicer" }] }],
  );
  assert.deepEqual([broken.code, broken.rawMessage], [Code.Internal, "internal"]);
  assert.equal(work.isKept, true);
});

test("whoever is not ready soon is asked alone, and holds nobody back", async () => {
  const gate = Promise.withResolvers<void>();
  acts.slow = () => gate.promise;
  const slow = ask("9", "slow");
  const others = await Promise.all(["1", "2", "3"].map((viewer) => ask(viewer)));
  assert.deepEqual(others, ["for 1", "for 2", "for 3"]);
  await until("the slow one is asked again, alone", () => met.filter(({ viewerId }) => viewerId === "9").length === 2);
  gate.resolve();
  assert.equal(await slow, "for 9");
});

test("a batch whose answer cannot be sent is asked call by call", async () => {
  const answers = await Promise.all([ask("1", "huge"), ask("2", "huge"), ask("3")]);
  assert.deepEqual(
    answers.map((answer) => answer.length),
    [3 * 2 ** 20, 3 * 2 ** 20, "for 3".length],
  );
});

test("what one replica cannot do now is asked alone, so that the proxy hears of it and asks another one", async () => {
  let tries = 0;
  acts.away = () => {
    if (++tries === 1) throw unavailable("a store");
  };
  const { batches, items } = await counting(async () => {
    assert.deepEqual(await Promise.all([ask("1", "away"), ask("2")]), ["for 1", "for 2"]);
  });
  assert.deepEqual({ batches, items }, { batches: 1, items: 3 });
});

test("a batch of more calls than it may hold is refused", async () => {
  const calls = Array.from({ length: 33 }, () => ({ token: mint({ caller: "bff", viewerId: "1" }), timeoutMs: 1_000 }));
  const refused = feed.batchListHomeFeed({ calls }, onBehalfOfNobody("test", 2_000));
  await assert.rejects(refused, (reason) => ConnectError.from(reason).code === Code.InvalidArgument);
});

test("whoever is away is not asked again for each call", async () => {
  const gone = grpcTransport({ address: "http://127.0.0.1:1", caller: "bff", key });
  const client = createClient(FeedService, gone);
  const before = await asked("ListHomeFeed");
  const outcomes = await Promise.allSettled(["1", "2"].map((viewer) => client.listHomeFeed({}, as(viewer))));
  gone.close();
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === "rejected" && ConnectError.from(outcome.reason).code),
    [Code.Unavailable, Code.Unavailable],
  );
  assert.equal(await asked("ListHomeFeed"), before);
});

/** How often each way was taken while something was done, by what the service counts. */
async function counting(work: () => Promise<void>) {
  const counts = async () => {
    const { values = [] } = (await register.getSingleMetric("skein_rpc_server_total")?.get()) ?? {};
    const of = (name: string) =>
      values.filter(({ labels }) => labels.method === `feed.${name}`).reduce((sum, { value }) => sum + value, 0);
    return { items: of("ListHomeFeed"), batches: of("BatchListHomeFeed") };
  };
  const [start, metBefore] = [await counts(), met.length];
  await work();
  const end = await counts();
  const batches = end.batches - start.batches;
  assert.equal(end.items - start.items, met.length - metBefore, "each call is counted, batched or not");
  return { batches, items: end.items - start.items };
}

/** Calls of an RPC that came back, by what the caller counts. */
async function asked(name: string): Promise<number> {
  const { values = [] } = (await register.getSingleMetric("skein_rpc_client_total")?.get()) ?? {};
  return values.filter(({ labels }) => labels.method === `feed.${name}`).reduce((sum, { value }) => sum + value, 0);
}
