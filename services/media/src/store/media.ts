import type { Kind, State } from "#gen/skein/media/v1/media_pb.ts";
import { bigintOf, type Row } from "#lib/storage/mysql.ts";

export type Variant = { readonly name: string; readonly width: number; readonly height: number };

export type StoredMedia = {
  readonly id: bigint;
  readonly ownerId: bigint;
  readonly handle: string;
  readonly kind: Kind;
  readonly state: State;
  readonly sizeBytes: number;
  readonly receivedBytes: number;
  readonly alt: string;
  readonly failure: string;
  readonly width: number;
  readonly height: number;
  readonly durationMs: number;
  readonly blurhash: string;
  readonly variants: readonly Variant[];
  readonly createTime: Date;
};

/** A row of media, as a statement names it. */
export const columns =
  "id, owner_id, handle, kind, state, size_bytes, received_bytes, alt, failure, width, height, duration_ms, blurhash, variants, create_time";

/** The state of what is being collected: nobody sees it any more. */
export const collected = 5 as State;

export const mediaOf = (row: Row): StoredMedia => ({
  id: bigintOf(row.id),
  ownerId: bigintOf(row.owner_id),
  handle: String(row.handle),
  kind: Number(row.kind) as Kind,
  state: Number(row.state) as State,
  sizeBytes: Number(row.size_bytes),
  receivedBytes: Number(row.received_bytes),
  alt: String(row.alt),
  failure: String(row.failure),
  width: Number(row.width),
  height: Number(row.height),
  durationMs: Number(row.duration_ms),
  blurhash: String(row.blurhash),
  variants: row.variants === null ? [] : (JSON.parse(String(row.variants)) as Variant[]),
  createTime: row.create_time as Date,
});
