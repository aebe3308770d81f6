import { readdirSync } from "node:fs";
import path from "node:path";
import { startSystem } from "../tests/support/system.ts";
import { countOf, exitCodeOf, parsed } from "../tools/cli.ts";
import { createProgress, whole } from "../tools/progress.ts";
import { exitCodes } from "../tools/servers/failure.ts";
import { collectedAll } from "./uploads/collected.ts";
import { watchMemory } from "./uploads/memory.ts";
import { type Tally, uploadAll } from "./uploads/send.ts";

const help = `node bench/uploads.ts [--count 10000] [--lanes 4] [--seed 1] [--json]

Whether malformed uploads do harm, on a system of its own: --count files through the edge, made by chance out of good ones (cut,
flipped, spliced, doubled, random), as photos and as videos, from --lanes people at once. One in ten is cut at a random byte
and goes on, one in ten is cut and left. Every form of every photo that is kept is fetched and decoded. In the end nothing is
attached, so all of it must be collected. Memory is that of the media service and its decoder, at its highest in each tenth.

  --help        this page

Exit codes: 0 nothing died, nothing was kept that does not decode, all was collected; 1 otherwise; 2 wrong usage.`;

const most = 1_000_000;
/** Far beyond what one address is given; what nothing is made of goes after half a minute, so that the end can be seen. */
const budgets = {
  RATE_READ: "100000/100000",
  RATE_WRITE: "100000/100000",
  RATE_CREDENTIAL: "1000/1000",
  MEDIA_ORPHAN_SECONDS: "30",
  MEDIA_SWEEP_MS: "1000",
};
/** Between the first full tenth and the last: a collector that has not run yet, and no more. */
const growthMaxMiB = 128;

process.exitCode = await exitCodeOf("uploads", main);

async function main(): Promise<number> {
  const { values } = parsed({
    options: {
      help: { type: "boolean", short: "h" },
      json: { type: "boolean" },
      count: { type: "string", default: "10000" },
      lanes: { type: "string", default: "4" },
      seed: { type: "string", default: "1" },
    },
  });
  if (values.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const count = countOf("count", values.count, most);
  const lanes = countOf("lanes", values.lanes, 64);
  const system = await startSystem({}, budgets);
  const progress = createProgress();
  try {
    const memory = await watchMemory(system.instance, count);
    const sinceMs = performance.now();
    const tally = await uploadAll(
      { edge: system.edge, count, lanes, seed: countOf("seed", values.seed, most) },
      (done) => {
        memory.at(done);
        progress.update({ what: "uploads", done, total: count });
      },
    );
    const seconds = (performance.now() - sinceMs) / 1_000;
    const { highestMiB, restarts } = await memory.end();
    const left = await collectedAll(system.instance.servers.mysqlUrl, (rows) =>
      progress.update({ what: "left to be collected", done: rows }),
    );
    progress.end();
    const objects = filesIn(path.join(system.dir, "media", "objects"));
    return tell({ ...tally, seconds, highestMiB, restarts, left, objects }, values.json === true);
  } finally {
    await system.stop();
  }
}

type Result = Tally & {
  readonly seconds: number;
  readonly highestMiB: readonly number[];
  readonly restarts: number;
  readonly left: number;
  readonly objects: number;
};

function tell(result: Result, json: boolean): number {
  const { answers, undecodable, kept, forms, cut, abandoned, seconds, highestMiB, restarts, left, objects } = result;
  const growth = (highestMiB.at(-1) ?? 0) - (highestMiB[1] ?? highestMiB[0] ?? 0);
  if (json) console.log(JSON.stringify(result));
  else {
    const sent = Object.values(answers).reduce((sum, each) => sum + each, 0);
    console.log(`${whole(sent)} uploads in ${seconds.toFixed(0)} s:`, answers);
    console.log(`${kept} kept in ${forms} forms, ${undecodable.length} that do not decode`);
    console.log(`${cut} cut and gone on, ${abandoned} left; ${left} rows and ${objects} objects not collected`);
    console.log(`memory at its highest, by tenths: ${highestMiB.join(", ")} MiB; ${restarts} restarts`);
    for (const one of undecodable) console.log(`  ${one}`);
  }
  const isFine = undecodable.length + left + objects + restarts === 0 && growth < growthMaxMiB;
  const isKnown = Object.keys(answers).every((status) => ["204", "422"].includes(status));
  return isFine && isKnown ? exitCodes.ok : exitCodes.failed;
}

function filesIn(dir: string): number {
  return readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}
