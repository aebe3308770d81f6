import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openEdges } from "../tests/support/edges.ts";
import { redisCommand } from "../tests/support/faults.ts";
import { startSystem } from "../tests/support/system.ts";
import { openJournal } from "../tools/chaos/journal.ts";
import { drive } from "../tools/chaos/load.ts";
import { openPeople } from "../tools/chaos/people.ts";
import { countOf, exitCodeOf } from "../tools/cli.ts";
import { createProgress } from "../tools/progress.ts";
import { randomOf } from "../tools/seed/random.ts";
import { sampleFeeds } from "./flush/sample.ts";
import { secondsOf, tableOf, verdictOf } from "./flush/seconds.ts";
import { machine } from "./replicas/report.ts";

const help = `node bench/flush.ts [--rate 48] [--people 40] [--before 20] [--after 30] [--seed 1] [--json]

What the loss of all of Redis costs its readers, on a system of its own: people read and write at --rate requests a second
(an open loop, half of it writes; 48 is 40 % of what two cores carry); after a warm-up and --before seconds comes FLUSHALL.
Every second somebody's whole feed is held against the oracle: what stood all the while must be there, in order, and nothing
else. Prints p99 of reads by second. Exit code 1 where an answer was wrong, or where p99 is above five times that of before
for more than ten seconds.`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    json: { type: "boolean" },
    rate: { type: "string", default: "48" },
    people: { type: "string", default: "40" },
    before: { type: "string", default: "20" },
    after: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
  },
});

/** Code and caches are cold before. */
const warmUpMs = 20_000;
const answerMs = 6_000;
const connectionsMax = 256;

if (values.help) console.log(help);
else process.exitCode = await exitCodeOf("flush", main);

async function main(): Promise<number> {
  const rate = countOf("rate", values.rate, 1_000);
  const count = countOf("people", values.people, 500);
  const [before, after] = [countOf("before", values.before, 600), countOf("after", values.after, 600)];
  const { seed } = values;
  const dir = mkdtempSync(join(tmpdir(), "skein-flush-"));
  const system = await startSystem();
  const progress = createProgress();
  const journal = openJournal(join(dir, "journal.jsonl"));
  try {
    const random = randomOf(seed, "load");
    const people = await openPeople({ edge: system.edge, count, journal, random });
    const edges = openEdges([system.edge], { answerMs, connectionsMax });
    const load = drive({ people, edges, journal, random, site: undefined, rate });
    const samples = sampleFeeds(system.oracle, people.all);
    progress.say(`warming up for ${warmUpMs / 1_000} s, then ${before} s before and ${after} s after`);
    await sleep(warmUpMs + before * 1_000);
    const flushTime = Date.now();
    await redisCommand(system.instance.servers.redisUrl, "FLUSHALL");
    await sleep(after * 1_000);
    const [wrong] = await Promise.all([samples.stop(), load.stop()]);
    edges.close();
    const seconds = secondsOf(load.requests, { flushTime, before, after });
    const verdict = verdictOf(seconds, wrong);
    const result = { rate, people: count, seed, ...verdict, looks: samples.looks(), seconds, ...machine() };
    console.log(values.json ? JSON.stringify(result) : tableOf(seconds, verdict));
    return verdict.isKept ? 0 : 1;
  } finally {
    await journal.close();
    await system.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
