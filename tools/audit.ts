import { openMysql } from "#lib/storage/mysql.ts";
import { lookAt, type Wrong } from "./audit/look.ts";
import { openMender } from "./audit/mend.ts";
import { countOf, exitCodeOf, parsed } from "./cli.ts";
import { createLanes, findSystem, openOperator } from "./operator.ts";
import { openOracle } from "./oracle.ts";
import { createProgress } from "./progress.ts";
import { exitCodes } from "./servers/failure.ts";
import { findStores } from "./stores.ts";

const help = `npm run audit -- [options]     hold everything that people are shown to the truth

Reads each account's whole feed and profile as its owner is answered, and compares them with what counting rows in MySQL
says: posts missing, extra or out of order, likes, comments, reposts, quotes and saves, own likes and reposts, own posts with media,
followers and followings. The system may be in use: what differs is looked at four times over two seconds. Tells rate and time left.

  --users N     only so many accounts, chosen at random
  --at-once N   accounts at the same time (4)
  --repair      drop the read models that showed something wrong; the next read makes them anew. The list of posts with media is
                no read model: what is wrong in it stays
  --dir DIR     the instance (default .skein, or SKEIN_DIR)
  --json        the sums as one line of JSON on stdout
  --help        this page

Exit codes: 0 all is right, 1 something was wrong or the audit failed, 2 wrong usage, 3 not running.`;

const atOnceMax = 32;
const usersMax = 1_000_000;
/** Accounts whose ids are read at once. */
const idsMax = 1_000;
/** As many as are told one by one. */
const toldMax = 20;

process.exitCode = await exitCodeOf("audit", main);

type Sums = Record<
  "users" | "right" | "missing" | "extra" | "disordered" | "reactions" | "media" | "profiles" | "repaired",
  number
>;

async function main(): Promise<number> {
  const values = readOptions();
  if (values.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const stores = findStores({ dir: values.dir, env: process.env });
  const operator = await openOperator(findSystem({ dir: values.dir, env: process.env }));
  const oracle = openOracle({ url: stores.mysqlUrl, deployment: stores.deployment });
  const graph = openMysql({ url: stores.mysqlUrl, database: `${stores.deployment}_graph` });
  const mender = values.repair ? await openMender(stores) : undefined;
  const progress = createProgress();
  const sums: Sums = {
    users: 0,
    right: 0,
    missing: 0,
    extra: 0,
    disordered: 0,
    reactions: 0,
    media: 0,
    profiles: 0,
    repaired: 0,
  };
  try {
    const [row] = await graph.query("SELECT COUNT(*) AS n FROM account WHERE state = 1");
    const total = Math.min(Number(row?.n), values.users ?? usersMax);
    const lanes = createLanes(values.atOnce);
    for await (const userId of accounts(graph, values.users)) {
      await lanes.run(async () => {
        const wrong = await lookAt(operator, oracle, userId);
        add(sums, wrong);
        progress.update({ what: "accounts", done: sums.users, total });
        if (wrong === undefined) return;
        if (sums.users - sums.right <= toldMax) progress.say(`account ${userId}: ${wordsOf(wrong)}`);
        await mender?.mend(userId, wrong);
        if (mender !== undefined) sums.repaired++;
      });
    }
    await lanes.drain();
  } finally {
    progress.end();
    mender?.close();
    operator.close();
    await oracle.close();
    await graph.close();
  }
  const wrongs = sums.users - sums.right;
  if (values.json) console.log(JSON.stringify(sums));
  else
    console.log(
      wrongs === 0 ? `all ${sums.users} accounts are shown the truth` : `${wrongs} of ${sums.users} accounts are not`,
    );
  return wrongs === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Every active account by ascending id, or so many at random. */
async function* accounts(graph: ReturnType<typeof openMysql>, sample: number | undefined): AsyncGenerator<string> {
  if (sample !== undefined) {
    const rows = await graph.query(`SELECT user_id FROM account WHERE state = 1 ORDER BY RAND() LIMIT ${sample}`);
    for (const row of rows) yield String(row.user_id);
    return;
  }
  for (let after = "0"; ; ) {
    const rows = await graph.query(
      `SELECT user_id FROM account WHERE user_id > ? AND state = 1 ORDER BY user_id LIMIT ${idsMax}`, // PRIMARY
      [after],
    );
    for (const row of rows) yield String(row.user_id);
    if (rows.length < idsMax) return;
    after = String(rows.at(-1)?.user_id);
  }
}

function add(sums: Sums, wrong: Wrong | undefined): void {
  sums.users++;
  if (wrong === undefined) {
    sums.right++;
    return;
  }
  sums.missing += wrong.missing.length;
  sums.extra += wrong.extra.length;
  sums.disordered += wrong.isDisordered ? 1 : 0;
  sums.reactions += wrong.reactions.length;
  sums.media += wrong.media.length;
  sums.profiles += wrong.profile ? 1 : 0;
}

function wordsOf({ missing, extra, isDisordered, reactions, media, profile }: Wrong): string {
  const some = (ids: readonly string[]) => `${ids.slice(0, 3).join(", ")}${ids.length > 3 ? ", …" : ""}`;
  return [
    ...(missing.length > 0 ? [`${missing.length} posts missing (${some(missing)})`] : []),
    ...(extra.length > 0 ? [`${extra.length} posts too many (${some(extra)})`] : []),
    ...(isDisordered ? ["out of order"] : []),
    ...(reactions.length > 0
      ? [`${reactions.length} posts with other counts, own likes or own reposts (${some(reactions)})`]
      : []),
    ...(media.length > 0 ? [`${media.length} posts wrongly with or without media (${some(media)})`] : []),
    ...(profile ? ["other follower or following counts"] : []),
  ].join("; ");
}

function readOptions() {
  const options = {
    users: { type: "string" },
    "at-once": { type: "string", default: "4" },
    repair: { type: "boolean", default: false },
    dir: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  const { values } = parsed({ options });
  return {
    ...values,
    users: values.users === undefined ? undefined : countOf("users", values.users, usersMax),
    atOnce: countOf("at-once", values["at-once"], atOnceMax),
  };
}
