import { LikeCountsChangedSchema } from "#gen/skein/like/v1/events_pb.ts";
import { SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import type { Event } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";
import type { Sql } from "#lib/storage/mysql.ts";
import { keepReactions, type Reacted } from "./store/counts.ts";

/** What comment hears of reactions: how many there are to each comment, for the order by liveliness. */
export const hearReactions = {
  /** Nearly all reactions are to posts. */
  concerns: (event: Event): boolean => reactedIn(event).length > 0,
  apply: (tx: Sql, events: readonly Event[]): Promise<void> => keepReactions(tx, latest(events.flatMap(reactedIn))),
  applied: (): void => {},
};

function reactedIn(event: Event): Reacted[] {
  if (event.type !== LikeCountsChangedSchema.name) return [];
  const { subject, count, others, version } = decode(LikeCountsChangedSchema, event);
  if (subject?.kind !== SubjectKind.COMMENT) return [];
  const all = others.reduce((sum, { count: n }) => sum + n, count);
  return [{ commentId: BigInt(subject.id), count: all, version }];
}

/** Of each comment the last: a batch may tell of one many times. */
const latest = (all: readonly Reacted[]): Reacted[] => [...new Map(all.map((one) => [one.commentId, one])).values()];
