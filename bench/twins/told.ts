import { AckPolicy, connect, DeliverPolicy } from "nats";
import { until } from "#lib/harness/until.ts";
import { type Db, openMysql } from "#lib/storage/mysql.ts";
import type { ServerUrls } from "../../tools/launcher/start-servers.ts";

/** What there is of one author's creates. */
export type Told = {
  readonly rows: number;
  /** Ids that clients were answered, all of them ids of rows. */
  readonly ids: number;
  /** In the outbox. */
  readonly facts: number;
  /** In the stream. */
  readonly messages: number;
  /** Distinct event ids of those messages that are facts of the outbox. */
  readonly eventIds: number;
};

const created = { post: "PostCreated", comment: "CommentCreated" } as const;
/** Messages asked for at once. */
const fetchMax = 1_000;

/** Counts once everything is published. `ids` are what clients were answered. */
export async function toldOf(
  { mysqlUrl, natsUrl }: Pick<ServerUrls, "mysqlUrl" | "natsUrl">,
  noun: keyof typeof created,
  authorId: string,
  ids: ReadonlySet<string>,
): Promise<Told> {
  const db = openMysql({ url: mysqlUrl, database: `skein_${noun}` });
  try {
    await until(`all facts of ${noun} are published`, () => isPublished(db));
    const rows = await db.query(`SELECT id FROM ${noun} WHERE author_id = ?`, [authorId]);
    const known = new Set(rows.map(({ id }) => String(id)));
    const facts = await db.query("SELECT id, aggregate FROM outbox WHERE type = ? AND actor = ?", [
      created[noun],
      authorId,
    ]);
    const ours = facts.filter(({ aggregate }) => known.has(String(aggregate).slice(noun.length + 1)));
    const eventIds = new Set(ours.map(({ id }) => String(id)));
    const messages = await messagesOf(natsUrl, noun, authorId);
    return {
      rows: rows.length,
      ids: [...ids].filter((id) => known.has(id)).length === ids.size ? ids.size : -1,
      facts: facts.length,
      messages: messages.length,
      eventIds: new Set(messages.filter((id) => eventIds.has(id))).size,
    };
  } finally {
    await db.close();
  }
}

async function isPublished(db: Db): Promise<boolean> {
  const [open] = await db.query("SELECT COUNT(*) AS n FROM outbox WHERE position IS NULL");
  const [behind] = await db.query("SELECT COUNT(*) AS n FROM relay WHERE published < position");
  return Number(open?.n) + Number(behind?.n) === 0;
}

/** The event id of each message of the stream that tells of a create of this author. */
async function messagesOf(natsUrl: string, noun: keyof typeof created, authorId: string): Promise<string[]> {
  const { username, password, host } = new URL(natsUrl);
  const nats = await connect({ servers: host, user: username, pass: password });
  try {
    const stream = `SKEIN_${noun.toUpperCase()}`;
    const jsm = await nats.jetstreamManager();
    const { name, num_pending: pending } = await jsm.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.All,
      filter_subject: `skein.skein.${noun}.v1.${created[noun]}.*`,
      headers_only: true,
    });
    const consumer = await nats.jetstream().consumers.get(stream, name);
    const ids: string[] = [];
    for (let left = pending; left > 0; ) {
      for await (const { headers } of await consumer.fetch({ max_messages: Math.min(left, fetchMax) })) {
        if (headers?.get("Skein-Actor") === authorId) ids.push(headers.get("Nats-Msg-Id").split(".")[0] ?? "");
        left--;
      }
    }
    return ids;
  } finally {
    await nats.close();
  }
}
