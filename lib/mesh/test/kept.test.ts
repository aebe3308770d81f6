import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { createClient, type HandlerContext } from "@connectrpc/connect";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { receiveSpans } from "#lib/harness/otlp.ts";
import { until } from "#lib/harness/until.ts";
import { newTraceparent, onBehalfOf, within } from "../call.ts";
import { createLog } from "../log.ts";
import { type Running, run } from "../run.ts";
import { host } from "../serve.ts";
import { startTelemetry } from "../telemetry.ts";
import { meshTokens } from "../token.ts";
import { grpcTransport } from "../transport.ts";

const key = randomBytes(32).toString("base64url");
const log = createLog({ name: "test", level: "error" });
const receiver = await receiveSpans();
const telemetry = await startTelemetry({ name: "test-1", otlpUrl: receiver.url });
const closing: (() => unknown)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
  await telemetry.close();
  await receiver[Symbol.asyncDispose]();
});

type Handlers = Record<string, (req: unknown, ctx: HandlerContext) => unknown>;

/** A service of this mesh; what it is not asked for answers nothing. */
async function service(handlers: Handlers): Promise<Running> {
  const rest = Object.fromEntries(GraphService.methods.map(({ localName }) => [localName, () => ({})]));
  const running = await run({
    log,
    tokens: meshTokens(key),
    host: "127.0.0.1",
    port: 0,
    services: [host(GraphService, { ...rest, ...handlers } as never)],
    loops: [],
    ready: async () => {},
    drainMs: 0,
    close: [],
  });
  closing.push(running.stop);
  return running;
}

function clientOf({ port }: Running) {
  const transport = grpcTransport({ address: `http://127.0.0.1:${port}`, caller: "bff", key });
  closing.push(transport.close);
  return createClient(GraphService, transport);
}

test("an error three calls down, which nobody above tells of, is kept with everything above it", async () => {
  const back = clientOf(
    await service({
      createAccount: () => {
        throw new Error("broken");
      },
    }),
  );
  const middle = clientOf(
    await service({
      followUser: async (_, ctx) => {
        await back.createAccount({}, within(ctx)).catch(() => undefined);
        return {};
      },
    }),
  );
  const front = clientOf(
    await service({
      async *scanFollowers(_: unknown, ctx: HandlerContext) {
        await middle.followUser({}, within(ctx));
        yield {};
      },
      unfollowUser: async (_, ctx) => {
        for await (const _page of front.scanFollowers({}, within(ctx)));
        return {};
      },
    }),
  );

  const traceparent = newTraceparent();
  await front.unfollowUser({}, onBehalfOf("7", "test", 5_000, traceparent));
  const kept = () => receiver.spans.filter(({ traceId }) => traceId === traceparent.slice(3, 35));
  await until("four spans", () => kept().length === 4);
  const chain = ["UnfollowUser", "ScanFollowers", "FollowUser", "CreateAccount"].map((name) =>
    kept().find((span) => span.name === name),
  );
  assert.deepEqual(
    chain.map((span) => span?.parentId),
    [undefined, ...chain.slice(0, -1).map((span) => span?.spanId)],
  );
  assert.deepEqual(
    chain.map((span) => span?.error),
    [undefined, undefined, undefined, "error"],
  );

  const quiet = newTraceparent();
  await clientOf(await service({})).followUser({}, onBehalfOf("7", "test", 5_000, quiet));
  assert.ok(!receiver.spans.some(({ traceId }) => traceId === quiet.slice(3, 35)));
});
