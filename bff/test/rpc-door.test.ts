import assert from "node:assert/strict";
import http2 from "node:http2";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type ServiceImpl, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { register } from "prom-client";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { PostSchema } from "#gen/skein/api/v1/resources_pb.ts";
import { until } from "#lib/harness/until.ts";
import { callOf } from "#lib/mesh/call.ts";
import { explain, invalid, notFound, problem, unavailable } from "#lib/mesh/errors.ts";
import { inFlightLateMax } from "../src/middleware/shed.ts";
import { postApi } from "./post-api.ts";
import { bearer, serve } from "./serve.ts";

type Ports = { port: number; grpcPort: number };
const at = (port: number) => `http://127.0.0.1:${port}`;

/** Each protocol as its own client speaks it, at each port that understands it. */
const transports: Record<string, (ports: Ports, sessionManager: Http2SessionManager) => Transport> = {
  "Connect, JSON": ({ port }) =>
    createConnectTransport({ baseUrl: at(port), httpVersion: "1.1", useBinaryFormat: false }),
  "Connect, protobuf": ({ port }) =>
    createConnectTransport({ baseUrl: at(port), httpVersion: "1.1", useBinaryFormat: true }),
  "Connect over HTTP/2": ({ grpcPort }, sessionManager) =>
    createConnectTransport({ baseUrl: at(grpcPort), httpVersion: "2", sessionManager }),
  "gRPC-web": ({ port }) => createGrpcWebTransport({ baseUrl: at(port), httpVersion: "1.1" }),
  "gRPC-web over HTTP/2": ({ grpcPort }, sessionManager) =>
    createGrpcWebTransport({ baseUrl: at(grpcPort), httpVersion: "2", sessionManager }),
  gRPC: ({ grpcPort }, sessionManager) => createGrpcTransport({ baseUrl: at(grpcPort), sessionManager }),
};

type Door = Awaited<ReturnType<typeof serve>> & { posts: Client<typeof PostService> };

/** The same test at each of them. */
function atEach(what: string, given: Partial<ServiceImpl<typeof PostService>>, run: (door: Door) => Promise<void>) {
  for (const [name, transport] of Object.entries(transports)) {
    test(`${name}: ${what}`, async (t) => {
      let sessions: Http2SessionManager | undefined;
      // Before the door closes: it would wait 5 s for a connection on which more was sent than it reads.
      t.after(() => sessions?.abort());
      const door = await serve(t, postApi(given).rpcs);
      sessions = new Http2SessionManager(at(door.grpcPort));
      await run({ ...door, posts: createClient(PostService, transport(door, sessions)) });
    });
  }
}

/** How often a call of these doors was counted, by code. */
async function counted(code: string): Promise<number> {
  const { values = [] } = (await register.getSingleMetric("skein_http_total")?.get()) ?? {};
  const own = values.filter(({ labels }) => labels.code === code && labels.door !== "json");
  return own.reduce((sum, { value }) => sum + value, 0);
}

atEach("each answer is counted, and each refusal", {}, async ({ posts }) => {
  const [fine, refused] = [await counted("OK"), await counted("Unauthenticated")];
  await posts.createPost({ text: "hello" }, await signedIn({ "idempotency-key": "counted" }));
  await assert.rejects(posts.createPost({ text: "hello" }));
  await until("both are counted", async () => (await counted("Unauthenticated")) === refused + 1);
  assert.equal(await counted("OK"), fine + 1);
});

type Refusal = { code: string; reason: string | undefined; fields: string[]; message: string };

async function refusal(call: Promise<unknown>): Promise<Refusal> {
  const err = await call.then(
    () => assert.fail("not refused"),
    (thrown: unknown) => ConnectError.from(thrown),
  );
  const { reason, violations } = explain(err);
  return { code: Code[err.code], reason, fields: violations.map(({ field }) => field), message: err.rawMessage };
}

const signedIn = async (more: Record<string, string> = {}) => ({ headers: { ...(await bearer("7")), ...more } });

atEach("a call is answered, with the key and the headers of the answer", {}, async ({ posts }) => {
  let replayed: string | null | undefined;
  const options = {
    ...(await signedIn({ "idempotency-key": "again" })),
    onHeader: (headers: Headers) => {
      replayed = headers.get("idempotency-replayed");
      assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
      assert.equal(headers.get("cache-control"), "no-store");
    },
  };
  const { post } = await posts.createPost({ text: "hello 🧶" }, options);
  assert.equal(post?.text, "hello 🧶");
  assert.equal(replayed, "true");
});

atEach("who calls is settled first, and a create needs a key", {}, async ({ posts }) => {
  assert.deepEqual((await refusal(posts.createPost({ text: "a" }))).reason, "unauthenticated");
  const bad = { headers: { authorization: "Bearer a.b.c" } };
  assert.deepEqual((await refusal(posts.getPost({ post: "1" }, bad))).reason, "invalid-token");
  const { code, reason } = await refusal(posts.createPost({ text: "a" }, await signedIn()));
  assert.deepEqual([code, reason], ["InvalidArgument", "idempotency-key-missing"]);
  const spaced = await refusal(posts.createPost({ text: "a" }, await signedIn({ "idempotency-key": "a b" })));
  assert.deepEqual([spaced.reason, spaced.fields], ["validation", ["Idempotency-Key"]]);
});

const thrown: [thrown: unknown, code: string, reason: string, fields?: string[]][] = [
  [notFound("post"), "NotFound", "not-found"],
  [invalid("post_id", "must be nicer"), "InvalidArgument", "validation", ["post"]],
  [invalid("shard_hint", "must be nicer"), "InvalidArgument", "validation", []],
  [problem(Code.FailedPrecondition, "idempotency-key-reused", "x"), "FailedPrecondition", "idempotency-key-reused"],
  [new ConnectError("without a reason", Code.AlreadyExists), "AlreadyExists", "already-exists"],
  [problem(Code.Internal, "secret-reason", "SELECT secret"), "Internal", "internal"],
  [new ConnectError("secret", Code.Unknown), "Internal", "internal"],
  [new TypeError("secret is not a function"), "Internal", "internal"],
  [unavailable("secret", new Error("secret")), "Unavailable", "unavailable"],
  [problem(Code.DeadlineExceeded, "deadline-exceeded", "secret"), "DeadlineExceeded", "deadline-exceeded"],
];
let throwing: unknown;
const throws = () => {
  throw throwing;
};

atEach(
  "an error has its code, reason and fields; ours tell nothing and are logged once",
  { getPost: throws },
  async ({ posts, log }) => {
    for (const [reason, code, name, fields = []] of thrown) {
      throwing = reason;
      log.lines.length = 0;
      const told = await refusal(posts.getPost({ post: "1" }));
      assert.deepEqual([told.code, told.reason, told.fields], [code, name, fields]);
      const isFault = ["Internal", "Unavailable", "DeadlineExceeded"].includes(code);
      assert.deepEqual(
        log.lines.map(({ fields: said }) => said.rpc),
        isFault ? ["PostService.GetPost"] : [],
      );
      if (isFault) assert.doesNotMatch(JSON.stringify(told), /secret|SELECT/i);
    }
  },
);

atEach("a value inside a field is named by its place", { createPost: throws }, async ({ posts }) => {
  const places = ["text", "poll.options[1]", "poll.duration_seconds", "media_ids[0]"];
  for (const place of places) {
    throwing = invalid(place, "must be nicer");
    const told = await refusal(posts.createPost({ text: "a" }, await signedIn({ "idempotency-key": "k" })));
    assert.deepEqual(told.fields, [place]);
  }
});

const unwritable = () => ({ post: create(PostSchema, { version: "secret" as never }) });

atEach("an answer that cannot be written is ours too", { getPost: unwritable }, async ({ posts, log }) => {
  const { code, reason, message } = await refusal(posts.getPost({ post: "1" }));
  assert.deepEqual([code, reason, message], ["Internal", "internal", "Internal"]);
  assert.equal(log.lines.length, 1);
});

let deadlineMs = 0;
const noted: ServiceImpl<typeof PostService>["getPost"] = (_, ctx) => {
  deadlineMs = callOf(ctx).deadline - Date.now();
  return {};
};

atEach("the deadline is the nearer of the client's and the policy's", { getPost: noted }, async ({ posts }) => {
  await posts.getPost({ post: "1" });
  assert.ok(deadlineMs > 2_500 && deadlineMs <= 3_000, String(deadlineMs));
  await posts.getPost({ post: "1" }, { timeoutMs: 1_000 });
  assert.ok(deadlineMs > 500 && deadlineMs <= 1_000, String(deadlineMs));
  await posts.getPost({ post: "1" }, { timeoutMs: 60_000 });
  assert.ok(deadlineMs > 2_500 && deadlineMs <= 3_000, String(deadlineMs));
});

atEach("more than a body may hold is refused, and the connection lives", {}, async ({ posts }) => {
  const options = await signedIn({ "idempotency-key": "k" });
  const { code, reason } = await refusal(posts.createPost({ text: "a".repeat(2 ** 21) }, options));
  assert.deepEqual([code, reason], ["ResourceExhausted", "payload-too-large"]);
  const unread = await refusal(posts.createPost({ text: "a".repeat(2 ** 21) }));
  assert.equal(unread.reason, "unauthenticated");
  assert.ok((await posts.createPost({ text: "a" }, options)).post);
});

test("a place is taken by each request and given back", async (t) => {
  const gate = Promise.withResolvers<void>();
  const slow = async () => {
    await gate.promise;
    return {};
  };
  const door = await serve(t, postApi({ getPost: slow }).rpcs, { isLate: () => true });
  const sessions = new Http2SessionManager(at(door.grpcPort));
  const [web, grpc] = ["gRPC-web", "gRPC"].map((name) =>
    createClient(PostService, transports[name]?.(door, sessions) as Transport),
  );
  let refused = 0;
  const held = Array.from({ length: inFlightLateMax + 8 }, (_, n) =>
    refusal((n % 2 ? web : grpc)?.getPost({ post: "1" }) as never).finally(() => {
      refused++;
    }),
  );
  const first = await Promise.race(held);
  assert.deepEqual([first.code, first.reason], ["Unavailable", "overloaded"]);
  await until("all beyond the limit are refused", () => refused === 8);
  gate.resolve();
  const outcomes = await Promise.allSettled(held);
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 8, "refused");
  assert.ok(await grpc?.getPost({ post: "1" }), "places come back");
});

/** A Connect request by hand: what no client would send. */
async function connectPost(t: TestContext, body: string | Buffer, headers: Record<string, string> = {}) {
  const { ask } = await serve(t, postApi().rpcs);
  const sent = {
    "connect-protocol-version": "1",
    "content-type": "application/json",
    ...(await bearer("7")),
    ...headers,
  };
  return await ask("/skein.api.v1.PostService/CreatePost", { method: "POST", headers: sent, body });
}

type BadBody = [why: string, body: string | Buffer, reason: string, headers?: Record<string, string>, field?: string];
const badBodies: BadBody[] = [
  ["truncated", '{"text":', "malformed-json"],
  ["a duplicate key", '{"text":"a","text":"b"}', "duplicate-key"],
  ["an unknown field", '{"text":"a","isAdmin":true}', "validation"],
  ["words for a number", '{"poll":{"durationSeconds":"x"}}', "validation", {}, "poll.duration_seconds"],
  ["a number in a list of texts", '{"poll":{"options":["a",5]}}', "validation", {}, "poll.options[1]"],
  ["100,000 levels", "[".repeat(1e5) + "]".repeat(1e5), "too-deep"],
  ["not UTF-8", Buffer.from([...Buffer.from('{"text":"'), 0xff, ...Buffer.from('"}')]), "invalid-utf8"],
  ["a truncated field", Buffer.from("0a0561", "hex"), "malformed-message", { "content-type": "application/proto" }],
  [
    "text that is not UTF-8",
    Buffer.from("0a01ff", "hex"),
    "malformed-message",
    { "content-type": "application/proto" },
  ],
  ["not gzip", "{}", "bad-encoding", { "content-encoding": "gzip" }],
];

test("a bad message is INVALID_ARGUMENT with the reason that the JSON door gives", async (t) => {
  for (const [why, body, reason, headers, field] of badBodies) {
    await t.test(why, async (t) => {
      const answer = await connectPost(t, body, headers);
      assert.equal(answer.status, 400, answer.text);
      const { code, details } = answer.json() as {
        code: string;
        details: { type: string; debug: { reason: string; fieldViolations?: { field: string }[] } }[];
      };
      assert.deepEqual([code, details[0]?.type], ["invalid_argument", "google.rpc.ErrorInfo"]);
      assert.equal(details[0]?.debug.reason, reason);
      if (field !== undefined) assert.equal(details[1]?.debug.fieldViolations?.[0]?.field, field);
    });
  }
});

test("what is no call is refused as the protocols say", async (t) => {
  const { ask, grpcPort } = await serve(t, postApi().rpcs);
  const get = await ask("/skein.api.v1.PostService/GetPost");
  assert.deepEqual([get.status, get.headers.allow], [405, "POST"]);
  const unknown = await ask("/skein.api.v1.PostService/Nothing", { method: "POST" });
  assert.deepEqual([unknown.status, unknown.json().code], [404, "unimplemented"]);
  const form = await ask("/skein.api.v1.PostService/GetPost", {
    method: "POST",
    headers: { "content-type": "text/plain" },
  });
  assert.equal(form.status, 415);
  const unversioned = { "content-type": "application/json" };
  assert.equal(
    (await ask("/skein.api.v1.PostService/GetPost", { method: "POST", headers: unversioned, body: "{}" })).status,
    400,
  );
  const session = http2.connect(at(grpcPort));
  t.after(() => session.close());
  const request = session.request({
    ":method": "POST",
    ":path": "/skein.x.v1.X/Y",
    "content-type": "application/grpc",
  });
  const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => request.once("response", resolve));
  assert.equal(headers["grpc-status"], "12");
  assert.equal(session.remoteSettings.maxConcurrentStreams, 1_000);
  assert.equal(session.remoteSettings.maxHeaderListSize, 16_384);
});

test("an envelope with flags of no request is refused before its message is believed", async (t) => {
  let seen = 0;
  const createPost = () => {
    seen++;
    return { post: {} };
  };
  const { port } = await serve(t, postApi({ createPost }).rpcs);
  const { headers } = await signedIn({ "idempotency-key": "k" });
  const frame = (flags: number, body: Buffer) => {
    const head = Buffer.alloc(5);
    head.writeUInt8(flags, 0);
    head.writeUInt32BE(body.length, 1);
    return Buffer.concat([head, body]);
  };
  const broken = Buffer.from([...Buffer.from('{"text":"a'), 0xff, ...Buffer.from('b"}')]);
  for (const body of [Buffer.concat([frame(0, broken), frame(0x80, Buffer.alloc(0))]), frame(2, broken)]) {
    const answer = await fetch(`http://127.0.0.1:${port}/skein.api.v1.PostService/CreatePost`, {
      method: "POST",
      headers: {
        ...(headers as Record<string, string>),
        "content-type": "application/grpc-web+json",
        "x-grpc-web": "1",
      },
      body,
    });
    const text = (await answer.text()) + (answer.headers.get("grpc-status") ?? "");
    assert.match(text, /grpc-status: 3|^3$/i);
  }
  assert.equal(seen, 0);
});
