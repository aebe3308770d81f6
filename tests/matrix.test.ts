//! Who may see and do what, RPC by RPC: each of the contracts is a row, each row is asked by each of ten viewers at a private
//! and a public account's things, and what comes back must be what the rule of the row says by the oracle's word. Public RPCs
//! are asked as JSON, Connect and gRPC; those inside the mesh at the port of their service, as each caller the contract names.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type DescMethodUnary, fromBinary, getOption, type JsonObject, toJson } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import type { BatchedAnswer } from "#gen/skein/mesh/v1/batch_pb.ts";
import { Auth, callers, policy } from "#gen/skein/options/v1/options_pb.ts";
import { until } from "#lib/harness/until.ts";
import { onBehalfOf } from "#lib/mesh/call.ts";
import { explain } from "#lib/mesh/errors.ts";
import { fromStatusMessage } from "#lib/mesh/status.ts";
import { meshTokens } from "#lib/mesh/token.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { publicNoun, services } from "../infra/envoy/rpcs.ts";
import type { Keys } from "../tools/launcher/keys.ts";
import { findSystem } from "../tools/operator.ts";
import { randomOf } from "../tools/seed/random.ts";
import { openDoors } from "./support/doors.ts";
import { huntTwice, keysOf, openSignIn } from "./support/matrix/hunting.ts";
import { internalRows } from "./support/matrix/internal-rows.ts";
import { printed } from "./support/matrix/print.ts";
import { publicRows } from "./support/matrix/public-rows.ts";
import { type Ask, type Result, runRow } from "./support/matrix/run.ts";
import { openServiceDoor, type ServiceDoor } from "./support/matrix/service-door.ts";
import { personOf, type Sight, sightIn } from "./support/matrix/sight.ts";
import type { Place, Row } from "./support/matrix/table.ts";
import { type Makers, makeWorld, openMakers, type World } from "./support/matrix/world.ts";
import type { Door } from "./support/outcome.ts";
import { type System, startSystem } from "./support/system.ts";

const doorNames = ["JSON", "connect-web, Connect", "grpc-js, gRPC"];
/** Registrations and log-ins, which are asked by everybody like the rest. */
const budgets = { RATE_CREDENTIAL: "1000/1000", RATE_PASSWORD: "1000/1000", RATE_READ: "10000/10000" };
/** Tries of the hunt; bench/leaks.ts is the long one. */
const tries = Number(process.env.TRIES ?? 1_000);
const seed = process.env.SEED ?? "1";
const printedLine = 240;

const isPublic = (typeName: string) => typeName.startsWith(`skein.${publicNoun}.`);
const internal = services.filter(({ typeName }) => /^skein\./.test(typeName) && !isPublic(typeName));

let system: System;
let makers: Makers;
let keys: Keys;
let doors: Door[];
let ports: Map<string, ServiceDoor>;
let sight: Sight;
let tokenOf: (userId: string) => Promise<string>;

before(async () => {
  system = await startSystem({}, budgets);
  keys = keysOf(system);
  makers = openMakers(findSystem({ dir: system.dir, env: {} }));
  doors = openDoors(system.edge).filter(({ name }) => doorNames.includes(name));
  const { processes } = await system.instance.status();
  const addressOf = (noun: string) => processes.find(({ name }) => name === `${noun}-1`)?.address ?? "";
  const nouns = new Set(internal.map(({ typeName }) => nounOf(typeName)));
  ports = new Map([...nouns].map((noun) => [noun, openServiceDoor(addressOf(noun))]));
  sight = await sightIn(system.oracle, await makeWorld(makers));
  tokenOf = await openSignIn(keys);
});
after(async () => {
  for (const door of [...(doors ?? []), ...(ports?.values() ?? [])]) door.close();
  makers?.close();
  await system?.stop();
});

const nounOf = (typeName: string): string => typeName.split(".")[1] ?? "";
const idOf = ({ viewer, owner, world }: Place): string | undefined => {
  const name = personOf(viewer, owner);
  return name && world.people.get(name);
};

test("every RPC has its row, and every row its RPC", () => {
  const all = services.filter(({ typeName }) => /^skein\./.test(typeName)).flatMap(({ methods }) => methods);
  const nameOf = ({ parent, name }: Row["method"]) => `${parent.typeName}.${name}`;
  const rows = [...publicRows, ...internalRows].map(({ method }) => nameOf(method));
  // Some are asked about more than one thing.
  assert.deepEqual([...new Set(rows)].sort(), all.map(nameOf).sort());
});

test("public RPCs answer each viewer by their rule, at three doors", { timeout: 300_000 }, async (t) => {
  const tokens = new Map<string, Promise<string>>();
  const ask: Ask = async ({ row, place }) => {
    const id = idOf(place);
    if (id !== undefined && !tokens.has(id)) tokens.set(id, tokenOf(id));
    const token = id === undefined ? undefined : await tokens.get(id);
    return Promise.all(
      turnsOf(row, place, doors).map(async (door, nth) => {
        const at = { ...place, nth: place.nth * doors.length + nth };
        const outcome = await door.call(row.method as DescMethodUnary, row.request(at), {
          token,
          key: `key-${at.nth}`,
        });
        return { door: door.name, outcome };
      }),
    );
  };
  judge(t, await runTable(publicRows, ask));
});

test("RPCs of services answer each viewer by their rule, at their own ports", { timeout: 300_000 }, async (t) => {
  const mint = meshTokens(keys.internal).mint;
  const ask: Ask = async ({ row, place }) => {
    const named =
      getOption(row.method, policy).auth === Auth.OPERATOR ? ["operator"] : getOption(row.method.parent, callers);
    const door = ports.get(nounOf(row.method.parent.typeName)) as ServiceDoor;
    return Promise.all(
      turnsOf(row, place, named).map(async (caller, nth) => {
        const at = { ...place, nth: place.nth * named.length + nth };
        const outcome = await door.call(row.method, row.request(at), mint({ caller, viewerId: idOf(place) }));
        return { door: `its own port, called by ${caller}`, outcome, trusted: row.trusted?.includes(caller) === true };
      }),
    );
  };
  judge(t, await runTable(internalRows, ask));
});

test("a service answers nobody without a token, with a forged one, nor a caller whom its contract does not name", async () => {
  const forge = meshTokens(Buffer.alloc(32, 1).toString("base64url")).mint;
  const { mint } = meshTokens(keys.internal);
  const everybody = new Set(["bff", "operator", "search", ...internal.map(({ typeName }) => nounOf(typeName))]);
  const wrong: string[] = [];
  for (const { method } of internalRows) {
    const named = getOption(method.parent, callers);
    const { auth } = getOption(method, policy);
    const door = ports.get(nounOf(method.parent.typeName)) as ServiceDoor;
    const must = async (token: string | undefined, reason: string, as: string) => {
      const outcome = await door.call(method, {}, token);
      const got = outcome.ok ? "OK" : outcome.reason;
      if (got !== reason) wrong.push(`${method.parent.typeName}.${method.name} ${as}: ${got}, due is ${reason}`);
    };
    const caller = named[0] ?? "";
    await must(undefined, "unauthenticated", "without a token");
    await must(forge({ caller, viewerId: "1" }), "unauthenticated", "with a forged token");
    await must(mint({ caller, viewerId: "1" }, Date.now() - 600_000), "unauthenticated", "with one that has run out");
    await must(mint({ caller, viewerId: "1" }).replace(".1.", ".2."), "unauthenticated", "with another's name in it");
    for (const other of everybody) {
      const isKnown = named.includes(other) && (auth !== Auth.OPERATOR || other === "operator");
      if (!isKnown) await must(mint({ caller: other, viewerId: "1" }), "forbidden", `called by ${other}`);
      else if (auth === Auth.USER) {
        await must(mint({ caller: other, viewerId: undefined }), "unauthenticated", `called by ${other} for nobody`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test("a call in a batch sees what its own viewer sees alone, whoever sends the batch, and a forged one nothing", async () => {
  const world = await makeWorld(makers);
  const { mint } = meshTokens(keys.internal);
  const forge = meshTokens(Buffer.alloc(32, 1).toString("base64url")).mint;
  const door = ports.get("feed") as ServiceDoor;
  const { listHomeFeed } = FeedService.method;
  const ids = [...world.people.values()];
  const tokens = ids.flatMap((viewerId) => [mint, forge].map((by) => by({ caller: "bff", viewerId })));
  const alone = await Promise.all(tokens.map((token) => door.call(listHomeFeed, {}, token)));
  let together: { case: string | undefined; page: JsonObject | string }[] = [];
  const { processes } = await system.instance.status();
  const address = processes.find(({ name }) => name === "feed-1")?.address ?? "";
  const transport = grpcTransport({ address, caller: "bff", key: keys.internal });
  // Refusals are ready at once, and a batch waits but a moment for pages once half of it is: they are asked for again.
  await until("some come in time", async () => {
    together = [];
    for (let at = 0; at < tokens.length; at += 32) {
      const calls = tokens.slice(at, at + 32).map((token) => ({ token, timeoutMs: 2_000 }));
      const { answers } = await createClient(FeedService, transport).batchListHomeFeed(
        { calls },
        onBehalfOf(ids[0], "bff", 20_000),
      );
      for (const { result } of answers) together.push({ case: result.case, page: pageIn(result) });
    }
    return together.some(({ case: came }) => came === "response");
  });
  transport.close();
  for (const [nth, outcome] of alone.entries()) {
    const is = together[nth];
    if (!outcome.ok) assert.deepEqual([is?.case, is?.page], ["error", outcome.reason]);
    else if (is?.case === "response") assert.deepEqual((is.page as JsonObject).items, outcome.message.items);
  }
  assert.equal(together.filter(({ case: came }) => came === "error").length, ids.length);
});

/** A page, or the reason why there is none. */
function pageIn(result: BatchedAnswer["result"]): JsonObject | string {
  if (result.case === "error") return explain(fromStatusMessage(result.value)).reason ?? "";
  if (result.case !== "response") return "late";
  const { output } = FeedService.method.listHomeFeed;
  return toJson(output, fromBinary(output, result.value), { alwaysEmitImplicit: true }) as JsonObject;
}

test(`${tries} tries with real ids, names and page tokens tell nobody what is hidden (SEED=${seed})`, {
  timeout: 1_800_000,
}, async (t) => {
  const random = randomOf("leaks", seed);
  const { leaks, statuses, emptyWithToken } = await huntTwice({ system, makers, tokenOf, random, worlds: 2, tries });
  t.diagnostic(`${JSON.stringify(statuses)}, ${emptyWithToken} empty pages that go on`);
  assert.deepEqual(leaks, []);
  assert.ok((statuses["200"] ?? 0) > tries / 4, "too few tries see anything");
  assert.ok((statuses["404"] ?? 0) > tries / 10, "too few tries are refused");
});

/** The ways in of one call: all, but one after the other where each viewer changes ten posts, for time. */
const turnsOf = <T>({ rule, changes }: Row, { nth }: Place, ways: readonly T[]): readonly T[] =>
  rule.about === "post" && changes !== undefined ? [ways[nth % ways.length] as T] : ways;

/** Asks row by row: those that change nothing in one world, each kind of change in a world of its own. */
async function runTable(rows: readonly Row[], ask: Ask): Promise<Result[]> {
  const worlds = new Map<string, World>();
  const results: Result[] = [];
  for (const row of rows) {
    const name = row.changes ?? "";
    const world = worlds.get(name) ?? (await makeWorld(makers));
    worlds.set(name, world);
    results.push(await runRow(row, world, sight, ask));
  }
  return results;
}

function judge(t: { diagnostic(line: string): void }, results: readonly Result[]): void {
  for (const line of printed(results)) t.diagnostic(line.slice(0, printedLine));
  t.diagnostic(`${results.length} rows, ${results.reduce((sum, { calls }) => sum + calls, 0)} calls`);
  assert.deepEqual(
    results.flatMap(({ wrong }) => wrong),
    [],
  );
}
