import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { type Client, Code, ConnectError, createClient, type ServiceImpl } from "@connectrpc/connect";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { callOf, newTraceparent, valuesOf, viewerOf } from "../call.ts";
import { explain, invalid } from "../errors.ts";
import { createLog } from "../log.ts";
import { type Running, run } from "../run.ts";
import { host } from "../serve.ts";
import { meshTokens } from "../token.ts";
import { grpcTransport } from "../transport.ts";

const key = randomBytes(32).toString("base64url");
const logged: string[] = [];
const log = createLog({ name: "test", level: "error", write: (line) => logged.push(line) });
const transports: { close(): void }[] = [];
let running: Running;
let seen: ReturnType<typeof callOf>[] = [];
let release = () => {};
let leftMs = 0;

const impl = {
  followUser: (_req, ctx) => {
    seen.push(callOf(ctx));
    leftMs = ctx.timeoutMs() ?? 0;
    return { relationship: { following: viewerOf(ctx) === "7", followedBy: false } };
  },
  unfollowUser: () => Promise.reject(invalid("user_id", "must be somebody else")),
  createAccount: () => {
    throw new Error("a secret of ours");
  },
  getFollowSet: () => new Promise((done) => (release = () => done({ version: 1n, followeeIds: [] }))),
  importFollows: () => ({ createdCount: 1n }),
  async *scanFollowers() {
    for (let page = 0; page < 3; page++) yield { followerIds: [BigInt(page)] };
    throw invalid("after_user_id", "must be an id");
  },
} satisfies Partial<ServiceImpl<typeof GraphService>>;

before(async () => {
  const rest = Object.fromEntries(GraphService.methods.map(({ localName }) => [localName, () => ({})]));
  const services = [host(GraphService, { ...rest, ...impl } as unknown as ServiceImpl<typeof GraphService>)];
  running = await run({
    log,
    tokens: meshTokens(key),
    host: "127.0.0.1",
    port: 0,
    services,
    loops: [],
    ready: async () => {},
    drainMs: 0,
    close: [],
  });
});
after(async () => {
  for (const { close } of transports) close();
  await running.stop();
});

function graph(caller = "bff", secret = key): Client<typeof GraphService> {
  const transport = grpcTransport({ address: `http://127.0.0.1:${running.port}`, caller, key: secret });
  transports.push(transport);
  return createClient(GraphService, transport);
}

const as = (viewerId: string | undefined, timeoutMs = 2_000) => ({
  contextValues: valuesOf({
    viewerId,
    caller: "door",
    deadline: Date.now() + timeoutMs,
    traceparent: newTraceparent(),
    requestId: "r1",
  }),
});
const failure = (work: Promise<unknown>): Promise<ConnectError> =>
  work.then(
    () => assert.fail("it should have failed"),
    (reason) => ConnectError.from(reason),
  );

test("viewer, caller, trace, request id and a shorter deadline arrive at the handler", async () => {
  seen = [];
  const options = as("7");
  const sent = callOf({ values: options.contextValues });
  const { relationship } = await graph("bff").followUser({ userId: "1" }, options);
  assert.equal(relationship?.following, true);
  const [got] = seen;
  assert.deepEqual([got?.viewerId, got?.caller, got?.requestId], ["7", "bff", "r1"]);
  assert.equal(got?.traceparent.slice(3, 35), sent.traceparent.slice(3, 35));
  assert.notEqual(got?.traceparent, sent.traceparent);
  // What is left travels, not the moment: a slow way makes the deadline later than the caller's, never what is left more.
  assert.ok(leftMs > 0 && leftMs <= 2_000 - 20, `${leftMs} ms left`);
});

test("an error arrives with its code, reason and fields; what is ours alone stays here", async () => {
  const refused = await failure(graph().unfollowUser({ userId: "1" }, as("7")));
  assert.equal(refused.code, Code.InvalidArgument);
  assert.deepEqual(explain(refused), {
    reason: "validation",
    violations: [{ field: "user_id", rule: "must be somebody else" }],
  });
  const options = as(undefined);
  const { traceparent } = callOf({ values: options.contextValues });
  const broken = await failure(graph().createAccount({ userId: "1" }, options));
  assert.deepEqual([broken.code, broken.rawMessage], [Code.Internal, "internal"]);
  assert.equal(logged.length, 1);
  const { msg, trace, request, caller, error } = JSON.parse(logged[0] ?? "{}");
  assert.deepEqual([msg, trace, request, caller], ["rpc failed", traceparent.slice(3, 35), "r1", "bff"]);
  assert.equal(error.message, "a secret of ours");
});

test("nobody unknown is served: no token, another key, no viewer, not the operator", async () => {
  const codes = async (client: Client<typeof GraphService>, viewerId?: string) =>
    (await failure(client.followUser({ userId: "1" }, as(viewerId)))).code;
  assert.equal(await codes(graph("bff", randomBytes(32).toString("base64url")), "7"), Code.Unauthenticated);
  assert.equal(await codes(graph("bff"), undefined), Code.Unauthenticated);
  assert.equal((await failure(graph("bff").importFollows({ lists: [] }, as(undefined)))).code, Code.PermissionDenied);
  assert.equal((await graph("operator").importFollows({ lists: [] }, as(undefined))).createdCount, 1n);
});

test("a service is called by those whom its contract names, and by nobody else of the mesh", async () => {
  const code = async (caller: string) => (await failure(graph(caller).unfollowUser({ userId: "1" }, as("7")))).code;
  for (const caller of ["bff", "feed", "user"]) assert.equal(await code(caller), Code.InvalidArgument, caller);
  for (const caller of ["graph", "chat", "", "BFF", "bff,feed"]) {
    assert.equal(await code(caller), Code.PermissionDenied, caller);
  }
});

test("a key takes over from another without anybody noticing", () => {
  const [old, next] = [randomBytes(32).toString("base64url"), randomBytes(32).toString("base64url")];
  const [before, prepared, changed, after] = [old, `${old},${next}`, `${next},${old}`, next].map(meshTokens);
  const good = (from = before, at = before) => at?.check(from?.mint({ caller: "bff", viewerId: "7" }))?.viewerId;
  assert.equal(good(before, prepared), "7");
  assert.equal(good(prepared, before), "7");
  assert.equal(good(prepared, changed), "7");
  assert.equal(good(changed, prepared), "7");
  assert.equal(good(changed, after), "7");
  assert.equal(good(after, changed), "7");
  assert.throws(() => good(before, after));
  assert.throws(() => meshTokens(`${old},short`), /INTERNAL_KEY must hold at least 32 bytes/);
});

test("a call that nobody waits for any more ends with its deadline", async () => {
  const late = await failure(graph().getFollowSet({ userId: "1" }, as(undefined, 150)));
  assert.equal(late.code, Code.DeadlineExceeded);
  release();
});

test("a call outside any other is refused before it leaves", async () => {
  await assert.rejects(graph().getFollowSet({ userId: "1" }), /within/);
});

test("a stream arrives item by item, and its error after them", async () => {
  const pages: bigint[] = [];
  const refused = await failure(
    (async () => {
      for await (const { followerIds } of graph().scanFollowers({ userId: "1" }, as(undefined)))
        pages.push(...followerIds);
    })(),
  );
  assert.deepEqual(pages, [0n, 1n, 2n]);
  assert.equal(refused.code, Code.InvalidArgument);
});

test("a token is good for its minute and the next, and not a byte changed", () => {
  const tokens = meshTokens(key);
  const now = Date.UTC(2026, 0, 1, 12, 0, 30);
  const token = tokens.mint({ caller: "feed", viewerId: "9" }, now);
  assert.deepEqual(tokens.check(token, now + 80_000).viewerId, "9");
  assert.throws(() => tokens.check(token, now + 91_000));
  assert.throws(() => tokens.check(token.replace(".9.", ".8."), now));
  assert.throws(() => tokens.check(undefined, now));
});

test("stopping finishes what is under way and refuses what comes after", async () => {
  const services = [
    host(GraphService, {
      ...Object.fromEntries(GraphService.methods.map(({ localName }) => [localName, () => ({})])),
      ...impl,
    } as unknown as ServiceImpl<typeof GraphService>),
  ];
  const other = await run({
    log,
    tokens: meshTokens(key),
    host: "127.0.0.1",
    port: 0,
    services,
    loops: [],
    ready: async () => {},
    drainMs: 0,
    close: [],
  });
  const transport = grpcTransport({ address: `http://127.0.0.1:${other.port}`, caller: "bff", key });
  const client = createClient(GraphService, transport);
  release = () => {};
  const idle = release;
  const pending = client.getFollowSet({ userId: "1" }, as(undefined, 5_000));
  while (release === idle) await new Promise(setImmediate);
  const stopped = other.stop();
  release();
  assert.equal((await pending).version, 1n);
  await stopped;
  assert.equal((await failure(client.followUser({ userId: "1" }, as("7", 500)))).code, Code.Unavailable);
  transport.close();
});
