import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { callOf } from "#lib/mesh/call.ts";
import type { Told } from "#lib/mesh/facts.ts";
import { newId, shards, shareOf } from "#lib/storage/id.ts";
import { bigintOf, type Param, type Row, type Sql } from "#lib/storage/mysql.ts";

/** Who did something, under which trace, and where is noted what is told of it. */
export type Origin = { readonly actor: bigint; readonly traceparent: string; readonly told?: Told | undefined };

/** The person and the trace behind a call; the actor is 0 where nobody is signed in. */
export function originOf(ctx: Parameters<typeof callOf>[0]): Origin {
  const { viewerId, traceparent, told } = callOf(ctx);
  return { actor: BigInt(viewerId ?? 0), traceparent, told };
}

/** The origin of what the system says by itself: counts, sums. */
export const ofNobody: Origin = { actor: 0n, traceparent: "" };

/** A fact about to be told. */
export type Fact<D extends DescMessage = DescMessage> = {
  readonly desc: D;
  readonly value: MessageInitShape<D>;
  /** What it is about, and the version it brings that to: consumers ignore what is older than they know. */
  readonly aggregate: string;
  readonly version: bigint;
  /** Facts of one partition key travel in order. */
  readonly partition: bigint;
  /** Who did it; 0 for nobody. */
  readonly actor: bigint;
  readonly traceparent: string;
  /** Where it is noted, for whoever must see it in their next read. */
  readonly told?: Told | undefined;
};

/** A fact as it travels. */
export type Event = {
  readonly id: bigint;
  readonly shard: number;
  readonly aggregate: string;
  readonly version: bigint;
  /** The simple name of its message, e.g. PostCreated. */
  readonly type: string;
  readonly payload: Uint8Array;
  readonly actor: bigint;
  readonly traceparent: string;
  /** Its number within the shard, dense from 1; 0 before the relay numbered it. */
  readonly position: bigint;
};

/** Types a fact's message. */
export const fact = <D extends DescMessage>(of: Fact<D>): Fact => of as unknown as Fact;

/** Writes facts into the transaction that makes them true. They exist if, and only if, it commits. */
export const append = (tx: Sql, facts: readonly Fact[]): Promise<void> => insert(tx, facts.map(eventFor));

/** A fact as it will travel, without a number. */
export function eventFor({ desc, value, aggregate, version, partition, actor, traceparent, told }: Fact): Event {
  const payload = Buffer.from(toBinary(desc, create(desc, value)));
  const [id, shard] = [newId(), shareOf(partition, shards)];
  told?.facts.set(`${aggregate} ${version}`, { noun: told.noun, shard, id });
  return { id, shard, aggregate, version, type: desc.name, payload, actor, traceparent, position: 0n };
}

/** The same for facts made before: those that the relay tells itself have a number already. */
export async function insert(tx: Sql, events: readonly Event[]): Promise<void> {
  if (events.length === 0) return;
  const rows: Param[][] = events.map(
    ({ id, shard, aggregate, version, type, payload, actor, traceparent, position }) => [
      ...[id, shard, aggregate, version, type, payload as Buffer, actor, traceparent],
      position === 0n ? null : position,
    ],
  );
  await tx.exec(`INSERT INTO outbox (${eventColumns}) VALUES ?`, [rows]);
}

/** The columns of an event, in the order `eventOf` reads them. */
export const eventColumns = "id, shard, aggregate, version, type, payload, actor, traceparent, position";

export const eventOf = (row: Row): Event => ({
  id: bigintOf(row.id),
  shard: Number(row.shard),
  aggregate: String(row.aggregate),
  version: bigintOf(row.version),
  type: String(row.type),
  payload: row.payload as Buffer,
  actor: bigintOf(row.actor),
  traceparent: String(row.traceparent),
  position: bigintOf(row.position),
});
