import { parseArgs } from "node:util";
import { createLog } from "#lib/mesh/log.ts";
import { homeTimelines } from "#lib/readmodel/families.ts";
import { openRedis } from "#lib/storage/redis.ts";
import { createLanes, findSystem, insist, openOperator } from "../tools/operator.ts";
import { createProgress } from "../tools/progress.ts";
import { openFamilies } from "../tools/rebuild/families.ts";
import { beginning } from "../tools/rebuild/place.ts";
import { walkFamily } from "../tools/rebuild/walk.ts";
import { findStores } from "../tools/stores.ts";

const help = `node bench/rebuild.ts --dir DIR [--json]

How fast home timelines are rebuilt, on a system that runs and was seeded: every account visits its feed, so that each has
a timeline; one rebuild finds all of them right, and one finds an entry missing from each and switches it. Entries are
those of the second generations; the rate is that of the whole command, at full speed.`;

const { values } = parseArgs({
  options: { help: { type: "boolean" }, json: { type: "boolean" }, dir: { type: "string" } },
});

if (values.help) console.log(help);
else await main();

async function main(): Promise<void> {
  const stores = findStores({ dir: values.dir, env: process.env });
  const operator = await openOperator(findSystem({ dir: values.dir, env: process.env }));
  const opened = await openFamilies(stores);
  const log = createLog({ name: "bench", level: "error" });
  const redis = openRedis({ url: stores.redisUrl, deployment: stores.deployment, scripts: [], log });
  const progress = createProgress();
  const { tl } = opened.families;
  try {
    const total = await tl.total();
    const owners = await tl.owners(0n, total);
    const lanes = createLanes(16);
    for (const [done, owner] of owners.entries()) {
      await lanes.run(
        async () => void (await insist((at) => operator.feed.listHomeFeed({ pageSize: 20 }, at), String(owner))),
      );
      progress.update({ what: "visits", done, total });
    }
    await lanes.drain();
    const right = await timed();
    for (let at = 0; at < owners.length; at += 1_000) {
      const pipeline = redis.pipeline();
      for (const owner of owners.slice(at, at + 1_000)) pipeline.lpop(homeTimelines.keyOf(redis, owner));
      await redis.run(pipeline);
    }
    const damaged = await timed();
    progress.end();
    console.log(values.json ? JSON.stringify({ right, damaged }) : { right, damaged });
  } finally {
    progress.end();
    redis.close();
    operator.close();
    await opened.close();
  }

  async function timed() {
    const startMs = performance.now();
    const { tally } = await walkFamily(tl, beginning, { rate: 0, tell: () => {} });
    const seconds = (performance.now() - startMs) / 1_000;
    return { ...tally, seconds, entriesPerSecond: Math.round(tally.entries / seconds) };
  }
}
