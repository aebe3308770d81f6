import { countOf, parsed } from "./cli.ts";
import { exitCodeOf, findSystem, insist, openOperator } from "./operator.ts";
import { whole } from "./progress.ts";
import { exitCodes } from "./servers/failure.ts";

const help = `npm run fanout -- [--pull-above N] [options]     from how many followers on authors are pulled instead of pushed

A post is pushed into the timelines of its author's followers who read. With --pull-above N authors of N followers and more
are pushed to nobody: readers merge their timelines, 256 such authors at most. Without it the number that counts is told.
It may be changed at any time, up and down; each process obeys within five seconds, and no feed misses anything meanwhile.

  --pull-above N  1 to 4,000,000,000 followers
  --dir DIR       the instance (default .skein, or SKEIN_DIR)
  --json          the number that counts, as JSON on stdout
  --help          this page

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running.`;

const optionTypes = {
  "pull-above": { type: "string" },
  dir: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

const followersMax = 4_000_000_000;

process.exitCode = await exitCodeOf("fanout", main);

async function main(): Promise<number> {
  const { values } = parsed({ options: optionTypes });
  if (values.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const wanted = values["pull-above"];
  const request = wanted === undefined ? {} : { pullAbove: countOf("pull-above", wanted, followersMax) };
  const operator = await openOperator(findSystem({ dir: values.dir, env: process.env }));
  try {
    const { pullAbove } = await insist((options) => operator.feed.configureFanout(request, options));
    if (values.json) console.log(JSON.stringify({ pullAbove }));
    else console.log(`authors of ${whole(pullAbove)} followers and more are pulled`);
    return exitCodes.ok;
  } finally {
    operator.close();
  }
}
