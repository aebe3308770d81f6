import { parseId } from "#lib/storage/id.ts";
import { countOf, exitCodeOf, parsed, usage } from "./cli.ts";
import { createProgress, duration, whole } from "./progress.ts";
import { type Family, type FamilyName, familyNames, openFamilies } from "./rebuild/families.ts";
import { beginning, type Place, placeOf } from "./rebuild/place.ts";
import type { Tally } from "./rebuild/tally.ts";
import { walkFamily } from "./rebuild/walk.ts";
import { exitCodes } from "./servers/failure.ts";
import { findStores } from "./stores.ts";

const help = `npm run rebuild -- <key family> [options]     makes a read model anew from MySQL, while everything runs

  tl           home timelines              rel          follow sets
  tla          authors' timelines          mine         sets of liked posts
  card         posts' cards                cnt.like     counts of likes
  uver         authors' versions           cnt.comment  counts of comments
  acct         states of accounts          ties         sets of blocks, mutes and close friends

For each key that is there a second generation is made from MySQL and held against the first. Where they differ it takes
the first one's place in one step, refused and tried again where somebody wrote in between. What is missing from Redis
stays so: its next read makes it.

  --user ID     only this person's keys, or those of their posts
  --rate N      keys a second at most (default 1000, at most 1000000; 0: as fast as it goes)
  --restart     from the first one, and not where a rebuild of the family was broken off
  --dir DIR     the instance (default .skein, or SKEIN_DIR; MYSQL_URL and REDIS_URL name another)
  --json        what was found and done, as JSON on stdout
  --help        this page

Exit codes: 0 done, 1 failed (the same command goes on), 2 wrong usage, 3 not running.`;

const optionTypes = {
  user: { type: "string" },
  rate: { type: "string", default: "1000" },
  restart: { type: "boolean", default: false },
  dir: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

const rateMax = 1_000_000;

process.exitCode = await exitCodeOf("rebuild", main);

async function main(): Promise<number> {
  const asked = readOptions();
  if (asked.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const stores = findStores({ dir: asked.dir, env: process.env });
  const opened = await openFamilies(stores);
  const startMs = performance.now();
  try {
    const family = opened.families[asked.family];
    const tally =
      asked.userId === undefined
        ? await all(family, asked, stores.dir)
        : await family.rebuild(await family.ofUser(asked.userId));
    const seconds = (performance.now() - startMs) / 1_000;
    console.log(asked.json ? JSON.stringify({ family: asked.family, ...tally, seconds }) : reportOf(tally, seconds));
    return exitCodes.ok;
  } finally {
    await opened.close();
  }
}

async function all(family: Family, { family: name, rate, restart }: Asked, dir: string): Promise<Tally> {
  const kept = placeOf(dir, name);
  const from: Place = restart ? beginning : kept.read();
  const progress = createProgress();
  if (from.done > 0) progress.say(`going on after ${whole(from.done)} owners`);
  const total = await family.total().catch(() => undefined);
  try {
    const end = await walkFamily(family, from, {
      rate,
      tell(place) {
        kept.keep(place);
        progress.update({ what: name, done: place.done, total });
      },
    });
    kept.end();
    return end.tally;
  } finally {
    progress.end();
  }
}

function reportOf(tally: Tally, seconds: number): string {
  const { right, switched, absent, stale, busy, entries, missing, extra, outOfOrder, hidden } = tally;
  return [
    `${whole(right + switched)} keys, ${whole(entries)} entries, in ${duration(seconds)}: ${whole(right)} right, ${whole(switched)} switched`,
    `  missing ${whole(missing)} · extra ${whole(extra)} · out of order ${whole(outOfOrder)} · hidden from readers anyway ${whole(hidden)}`,
    `  not there ${whole(absent)} · made anew by their next read ${whole(stale)} · written to at every try ${whole(busy)}`,
  ].join("\n");
}

type Asked = ReturnType<typeof readOptions>;

function readOptions() {
  const { values, positionals } = given();
  const [name, more] = positionals;
  const family = familyNames.find((known) => known === name);
  const userId = values.user === undefined ? undefined : parseId(values.user);
  const rate = values.rate === "0" ? 0 : countOf("rate", values.rate, rateMax);
  const read = { ...values, family: family as FamilyName, userId, rate };
  if (values.help) return read;
  if (family === undefined || more !== undefined)
    throw usage(`which key family is to be rebuilt? ${familyNames.join(", ")}`);
  if (values.user !== undefined && userId === undefined) throw usage(`--user ${values.user} is not an id`);
  return read;
}

function given() {
  return parsed({ options: optionTypes, allowPositionals: true });
}
