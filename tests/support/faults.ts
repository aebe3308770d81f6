import { connect, headers } from "nats";
import { eventColumns, eventOf } from "../../lib/events/outbox.ts";
import { openMysql } from "../../lib/storage/mysql.ts";
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
