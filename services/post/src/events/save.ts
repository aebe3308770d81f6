import { SaveChangedSchema } from "#gen/skein/post/v1/events_pb.ts";
import { type Event, type Fact, fact, type Origin } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";

/** How a person keeps a post from now on; `version` is the pair's. */
export type SaveChange = {
  readonly userId: bigint;
  readonly postId: bigint;
  readonly saved: boolean;
  /** 0: in none. */
  readonly collectionId: bigint;
  readonly version: bigint;
  /** How many more keep the post since. */
  readonly by: number;
};

/** The pair of a person and a post. */
export const saveName = (userId: bigint, postId: bigint): string => `save:${userId}:${postId}`;

/** Travels in the person's partition: it is nobody else's. */
export const saveChanged = ({ userId, postId, saved, collectionId, version, by }: SaveChange, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: SaveChangedSchema,
    aggregate: saveName(userId, postId),
    version,
    partition: userId,
    value: {
      userId: String(userId),
      postId: String(postId),
      saved,
      collectionId: collectionId === 0n ? "" : String(collectionId),
      version,
      by,
    },
  });

/** Whose saves some facts tell of; facts of other kinds say nothing here. */
export const saversIn = (events: readonly Pick<Event, "type" | "payload">[]): bigint[] => [
  ...new Set(
    events.flatMap((event) =>
      event.type === SaveChangedSchema.name ? [BigInt(decode(SaveChangedSchema, event).userId)] : [],
    ),
  ),
];
