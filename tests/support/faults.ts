import { Redis } from "ioredis";
import { connect, headers } from "nats";
import { eventColumns, eventOf } from "#lib/events/outbox.ts";
import { type Db, openMysql } from "#lib/storage/mysql.ts";
import type { Person } from "./person.ts";
import type { System } from "./system.ts";

/** Facts told a second time in one go. */
const redeliveredMax = 200;

/** Tells the latest facts of a noun again, in any order, as a stream that lost its memory of duplicates would. */
export async function redeliver({ instance }: System, noun: string): Promise<void> {
  const { mysqlUrl, natsUrl } = instance.servers;
  const db = openMysql({ url: mysqlUrl, database: `skein_${noun}` });
  const { username, password, host } = new URL(natsUrl);
  const nats = await connect({ servers: host, user: username, pass: password });
  try {
    const rows = await db.query(
      `SELECT ${eventColumns} FROM outbox WHERE position IS NOT NULL ORDER BY id DESC LIMIT ${redeliveredMax}`,
    );
    const [life] = await db.query("SELECT incarnation FROM relay_stream WHERE name = ?", [noun]);
    const js = nats.jetstream();
    for (const event of rows.map(eventOf).sort(() => Math.random() - 0.5)) {
      const about = headers();
      about.set("Nats-Msg-Id", `${event.id}.again.${Math.random()}`);
      about.set("Skein-Aggregate", event.aggregate);
      about.set("Skein-Version", String(event.version));
      about.set("Skein-Actor", String(event.actor));
      about.set("Skein-Position", String(event.position));
      about.set("Skein-Incarnation", String(life?.incarnation ?? 0));
      about.set("traceparent", event.traceparent);
      await js.publish(`skein.skein.${noun}.v1.${event.type}.${event.shard}`, event.payload, { headers: about });
    }
  } finally {
    await nats.close();
    await db.close();
  }
}

/** How long a caught-up system may take to be so, before it counts as stuck. */
const caughtUpMs = 60_000;
const lookAgainMs = 50;

/**
 * Waits until everything said was heard: every fact numbered and published, every consumer's place at its end, no
 * fan-out open. Answers the milliseconds it took.
 */
export async function caughtUp({ mysqlUrl }: { mysqlUrl: string }, limitMs = caughtUpMs): Promise<number> {
  const post = openMysql({ url: mysqlUrl, database: "skein_post" });
  const feed = openMysql({ url: mysqlUrl, database: "skein_feed" });
  const began = Date.now();
  try {
    for (;;) {
      const behind = await behindOf(post, feed).catch((reason) => String(reason));
      if (behind === undefined) return Date.now() - began;
      if (Date.now() - began > limitMs) throw new Error(`not caught up: ${behind}`);
      await new Promise((done) => setTimeout(done, lookAgainMs));
    }
  } finally {
    await Promise.all([post.close(), feed.close()]);
  }
}

async function behindOf(post: Db, feed: Db): Promise<string | undefined> {
  const [unnumbered] = await post.query("SELECT COUNT(*) AS n FROM outbox WHERE position IS NULL");
  if (Number(unnumbered?.n) > 0) return `${unnumbered?.n} facts not numbered`;
  const relay = await post.query("SELECT shard, position, published FROM relay");
  const unpublished = relay.filter((row) => row.published !== row.position).length;
  if (unpublished > 0) return `${unpublished} shards not published`;
  const places = new Map(
    (await feed.query("SELECT shard, position FROM place WHERE stream = 'post'")).map((row) => [
      row.shard,
      row.position,
    ]),
  );
  const unheard = relay.filter((row) => places.get(row.shard as number) !== row.position).length;
  if (unheard > 0) return `${unheard} shards not heard`;
  const [open] = await feed.query("SELECT COUNT(*) AS n FROM fanout_task");
  return Number(open?.n) > 0 ? `${open?.n} fan-outs open` : undefined;
}

/** Runs one command of Redis. */
export async function redisCommand(redisUrl: string, name: string, ...args: string[]): Promise<unknown> {
  const client = new Redis(redisUrl);
  try {
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}

/** People who write until they are told to stop. */
export type Writing = {
  /** How many rounds were acknowledged in all. */
  stop(): Promise<number>;
  /** Posts whose delete was acknowledged, or asked for and not answered yet. */
  removed(): ReadonlySet<string>;
};

/** Keeps people posting, following and deleting until it is told to stop; `told` hears of each acknowledged post. */
export function writeOn(
  people: readonly Person[],
  atOnce: number,
  told: (post: { id: string }) => void = () => {},
): Writing {
  const removed = new Set<string>();
  let stopped = false;
  let acknowledged = 0;
  const writer = async (nth: number) => {
    for (let step = 0; !stopped; step++) {
      const person = people[(nth + step) % people.length] as Person;
      const other = people[(nth + step * 3 + 1) % people.length] as Person;
      const post = await person.post(`step ${step} of writer ${nth}`);
      told(post);
      if (step % 5 === 0) {
        removed.add(post.id);
        await person.remove(post.id);
      }
      if (step % 4 === 0 && other !== person) await (step % 8 === 0 ? person.unfollow(other) : person.follow(other));
      acknowledged++;
    }
  };
  const writing = Promise.all(Array.from({ length: atOnce }, (_, nth) => writer(nth)));
  return {
    async stop() {
      stopped = true;
      await writing;
      return acknowledged;
    },
    removed: () => removed,
  };
}
