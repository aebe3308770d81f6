import type { Db } from "#lib/storage/mysql.ts";
import { services } from "../../launcher/kinds.ts";
import type { Truth } from "./truth.ts";

/** What is still on its way: facts without a number or not in their stream, facts feed has not heard, open fan-outs. */
export async function behindOf(truth: Truth): Promise<string | undefined> {
  const relays = await Promise.all(services.map((noun) => unpublished(noun, truth[noun])));
  const late = relays.find((one) => one !== undefined);
  if (late !== undefined) return late;
  const places = await truth.feed.query("SELECT shard, position FROM place WHERE stream = 'post'");
  const heard = new Map(places.map((row) => [row.shard, row.position]));
  const said = await truth.post.query("SELECT shard, position FROM relay WHERE position > 0");
  const unheard = said.filter((row) => heard.get(row.shard as number) !== row.position).length;
  if (unheard > 0) return `${unheard} shards of posts not heard`;
  const [open] = await truth.feed.query("SELECT COUNT(*) AS n FROM fanout_task");
  return Number(open?.n) > 0 ? `${open?.n} fan-outs open` : undefined;
}

async function unpublished(noun: string, db: Db): Promise<string | undefined> {
  const [fresh] = await db.query("SELECT COUNT(*) AS n FROM outbox WHERE position IS NULL");
  if (Number(fresh?.n) > 0) return `${fresh?.n} facts of ${noun} not numbered`;
  const [row] = await db.query("SELECT COUNT(*) AS n FROM relay WHERE published < position");
  return Number(row?.n) > 0 ? `${row?.n} shards of ${noun} not published` : undefined;
}
