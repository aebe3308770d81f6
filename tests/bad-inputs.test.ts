//! A catalogue of bad inputs, each sent for real through the edge. What has no surface yet is named with what it waits for.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { accessRows } from "./bad-inputs/access.ts";
import { edgeRows, eventRows, faultRows } from "./bad-inputs/edge.ts";
import { jsonRows } from "./bad-inputs/json.ts";
import { rpcRows } from "./bad-inputs/rpc.ts";
import type { World } from "./bad-inputs/wire.ts";
import { register } from "./support/person.ts";
import { allHealthy, type System, startSystem } from "./support/system.ts";

const ids = (group: string, numbers: string): string[] => numbers.split(" ").map((number) => `${group}-${number}`);

const catalogue = [
  ...ids("J", "01 02 04 05 06 08 09 12 14 15 17 19 24 25 27 28 29 30 32 34 35 36 37 40 42 43 44 45 46 47 48"),
  ...ids("I", "01 02 09"),
  ...ids("T", "01 02 05 07 10 12 15 18"),
  ...ids("Z", "01 03 05 06 08 09"),
  ...ids("K", "01 02 03 04 05 06"),
  ...ids("N", "01 02 04 06 09 11 13 16"),
  ...ids("G", "03 04 06 07 08 09"),
  ...ids("W", "03"),
  ...ids("S", "01 02 05 06 09 10 11 12 13 15"),
  ...ids("M", "01 02 05 06 08 09 11"),
  ...ids("H", "02 05 06 09 10 11"),
  ...ids("E", "01 02 05 07"),
];

/** Row → the surface that is missing. */
const waiting: Readonly<Record<string, string>> = {
  "J-32": "session cookies",
  "J-35": "ETags of profiles",
  "J-46": "search",
  "T-10": "refresh tokens",
  "Z-08": "moderation",
  "Z-09": "live connections",
  "W-03": "CORS: other origins are denied, so there is no preflight to answer",
  ...Object.fromEntries(ids("S", "01 02 05 06 09 10 11 12 13 15").map((id) => [id, "WebSocket"])),
};

/** Row → the test that meets it where it can be brought about. */
const elsewhere: Readonly<Record<string, readonly [file: string, title: string]>> = {
  "T-15": ["bff/test/limits.test.ts", "guesses at one account end before those of an address"],
  "E-01": ["lib/events/test/relay.test.ts", "poison is parked with its aggregate"],
  "M-01": ["services/media/test/upload.test.ts", "M-01: more bytes than were announced are refused"],
  "M-02": ["services/media/test/upload.test.ts", "M-02, M-05: what is no picture, or is larger than it looks"],
  "M-05": ["services/media/test/upload.test.ts", "M-02, M-05: what is no picture, or is larger than it looks"],
  "M-06": ["services/media/test/upload.test.ts", "M-06: nobody is asked for a name"],
  "M-08": ["lib/preview/test/preview.test.ts", "M-08: what is not the public web is not asked, however it is written"],
  "M-09": ["services/media/test/life.test.ts", "M-09: who sends too slowly is told so in time"],
  "M-11": ["services/media/test/upload.test.ts", "M-11: while the store does not take bytes an upload is 503"],
  "H-09": ["bff/test/shed.test.ts", "over the limit a request is refused at once and says when to come back"],
};

const rows = { ...jsonRows, ...accessRows, ...rpcRows, ...edgeRows, ...eventRows };

/** Repetitions of the table that memory is held to, after those that fill caches. */
const rounds = 2;
/** What a process may grow by over them: a collector that has not run yet, and no more. */
const growthMaxMiB = 64;
/** The same, with one round more before them. */
const growthInAllMaxMiB = 128;
/** The processes that bytes from outside reach. */
const watched = ["edge-1", "bff-1"];

let world: World;
let system: System;
before(async () => {
  system = await startSystem();
  world = { system, ada: await register(system.edge), ben: await register(system.edge) };
});
after(() => system?.stop());

test("the catalogue is covered: each row once, by a request, a surface it waits for, or a test elsewhere", () => {
  const met = [rows, faultRows, waiting, elsewhere].flatMap((list) => Object.keys(list));
  assert.equal(catalogue.length, 96);
  assert.deepEqual(met.sort(), [...catalogue].sort());
  for (const [file, title] of Object.values(elsewhere)) {
    const text = readFileSync(path.join(import.meta.dirname, "..", file), "utf8");
    assert.ok(text.includes(title), `${file} has no test "${title}"`);
  }
});

for (const [id, run] of Object.entries(rows)) test(id, { timeout: 60_000 }, () => run(world));

test("every process is alive, and again and again costs no memory", { timeout: 240_000 }, async (t) => {
  const again = async () => {
    for (const run of Object.values({ ...jsonRows, ...accessRows, ...rpcRows, ...edgeRows })) await run(world);
  };
  const before = await processes();
  await again();
  const warm = await processes();
  for (let round = 0; round < rounds; round++) await again();
  const now = await processes();
  for (const [name, { pid }] of before) assert.equal(now.get(name)?.pid, pid, `${name} is another process`);
  for (const name of watched) {
    const [first, second, last] = [before, warm, now].map((at) => at.get(name)?.mib);
    assert.ok(first !== undefined && second !== undefined && last !== undefined, `no process is called ${name}`);
    t.diagnostic(`${name}: ${first} MiB, ${second} after a round, ${last} after ${rounds} more`);
    assert.ok(last - second < growthMaxMiB, `${name} grew by ${last - second} MiB in ${rounds} rounds`);
    assert.ok(last - first < growthInAllMaxMiB, `${name} grew by ${last - first} MiB in all`);
  }
});

async function processes(): Promise<Map<string, { pid: number; mib: number }>> {
  const { processes } = await allHealthy(system.instance);
  return new Map(processes.map(({ name, pid, rssBytes }) => [name, { pid, mib: Math.round(rssBytes / 2 ** 20) }]));
}

for (const [id, run] of Object.entries(faultRows)) test(id, { timeout: 60_000 }, () => run(world));
