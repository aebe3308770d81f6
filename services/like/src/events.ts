import { LikeChangedSchema, LikeCountsChangedSchema } from "#gen/skein/like/v1/events_pb.ts";
import { Reaction, type SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { type Event, type Fact, fact, type Origin, ofNobody } from "#lib/events/outbox.ts";
import { decode, UndecodableError } from "#lib/events/poison.ts";

/** Something that can be liked. */
export type Subject = { readonly kind: SubjectKind; readonly id: bigint };

/** How one person's reaction to a subject changed. */
export type LikeChange = {
  readonly subject: Subject;
  readonly userId: bigint;
  readonly reaction: Reaction;
  readonly previous: Reaction;
  /** Of the pair. */
  readonly version: bigint;
};

/** The pair of a person and what they react to. */
export const likeName = ({ kind, id }: Subject, userId: bigint): string => `like:${kind}:${id}:${userId}`;

/** Travels in the subject's partition: what counts likes sees one subject's changes in order. */
export const likeChanged = ({ subject, userId, reaction, previous, version }: LikeChange, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: LikeChangedSchema,
    aggregate: likeName(subject, userId),
    version,
    partition: subject.id,
    value: {
      subject: { kind: subject.kind, id: String(subject.id) },
      userId: String(userId),
      reaction,
      previous,
      version,
    },
  });

export const likeCountsChanged = ({ kind, id }: Subject, count: bigint, version: bigint): Fact =>
  fact({
    ...ofNobody,
    desc: LikeCountsChangedSchema,
    aggregate: `likes:${kind}:${id}`,
    version,
    partition: id,
    value: { subject: { kind, id: String(id) }, count, version },
  });

/** The changes some facts tell of; facts of other kinds say nothing here. */
export function changesIn(events: readonly Pick<Event, "type" | "payload">[]): LikeChange[] {
  return events.flatMap(({ type, payload }) => {
    if (type !== LikeChangedSchema.name) return [];
    const { subject, userId, reaction, previous, version } = decode(LikeChangedSchema, { payload });
    if (subject === undefined) throw new UndecodableError(type, "a like of nothing");
    const what = { kind: subject.kind, id: BigInt(subject.id) };
    return [{ subject: what, userId: BigInt(userId), reaction, previous, version }];
  });
}

/** By how much each subject's likes change. */
export function deltasOf(changes: readonly LikeChange[]): { subject: Subject; delta: number }[] {
  const deltas = new Map<string, { subject: Subject; delta: number }>();
  const one = (reaction: Reaction) => (reaction === Reaction.LIKE ? 1 : 0);
  for (const { subject, reaction, previous } of changes) {
    const name = `${subject.kind}:${subject.id}`;
    const delta = (deltas.get(name)?.delta ?? 0) + one(reaction) - one(previous);
    deltas.set(name, { subject, delta });
  }
  return [...deltas.values()];
}
