import { huntTwice, keysOf, openSignIn } from "../tests/support/matrix/hunting.ts";
import { timeHidden } from "../tests/support/matrix/timing.ts";
import { openMakers } from "../tests/support/matrix/world.ts";
import { startSystem } from "../tests/support/system.ts";
import { countOf, exitCodeOf, parsed } from "../tools/cli.ts";
import { findSystem } from "../tools/operator.ts";
import { createProgress, whole } from "../tools/progress.ts";
import { randomOf } from "../tools/seed/random.ts";
import { exitCodes } from "../tools/servers/failure.ts";

const help = `node bench/leaks.ts [--tries 100000] [--worlds 8] [--times 2000] [--seed 1] [--json]

Whether anything private gets out, on a system of its own. In --worlds worlds of a private and a public account with posts of
every audience, ten kinds of viewer try real ids, names and page tokens, --tries in all over every public read: half, then
much is taken back (an account turns private, people are blocked, removed, unlisted, posts deleted), then the other half with
the page tokens of before. Every answer is searched for ids, names and texts that its viewer must not learn.
Then how long "not there" takes where something is hidden, and where there is nothing: medians of --times each, in turn.

  --help        this page

Exit codes: 0 nothing leaked, 1 something did, 2 wrong usage. That two medians differ is told and is no failure.`;

const most = 10_000_000;
/** Far beyond what one address and one viewer are given. */
const budgets = { RATE_READ: "100000/100000", RATE_CREDENTIAL: "1000/1000" };

process.exitCode = await exitCodeOf("leaks", main);

async function main(): Promise<number> {
  const { values } = parsed({
    options: {
      help: { type: "boolean", short: "h" },
      json: { type: "boolean" },
      tries: { type: "string", default: "100000" },
      worlds: { type: "string", default: "8" },
      times: { type: "string", default: "2000" },
      seed: { type: "string", default: "1" },
    },
  });
  if (values.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const [tries, worlds] = [countOf("tries", values.tries, most), countOf("worlds", values.worlds, 100)];
  const times = countOf("times", values.times, most);
  const system = await startSystem({}, budgets);
  const makers = openMakers(findSystem({ dir: system.dir, env: {} }));
  const progress = createProgress();
  try {
    const tokenOf = await openSignIn(keysOf(system));
    const random = randomOf("leaks", values.seed);
    const trying = (done: number) => progress.update({ what: "tries", done, total: tries });
    const hunted = await huntTwice({ system, makers, tokenOf, random, worlds, tries, said: trying });
    const timing = (done: number) => progress.update({ what: "timed", done, total: 4 * times });
    const timed = await timeHidden({ edge: system.edge, makers, tokenOf, times, said: timing });
    progress.end();
    if (values.json) console.log(JSON.stringify({ ...hunted, timed }));
    else {
      console.log(`${whole(hunted.tries)} tries, ${hunted.leaks.length} leaks`, hunted.statuses);
      for (const leak of hunted.leaks) console.log(`  ${leak}`);
      console.table(timed);
    }
    return hunted.leaks.length === 0 ? exitCodes.ok : exitCodes.failed;
  } finally {
    makers.close();
    await system.stop();
  }
}
