import { LikeChangedSchema, LikeCountsChangedSchema } from "#gen/skein/like/v1/events_pb.ts";
import { Reaction, type SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { type Event, type Fact, fact, type Origin, ofNobody } from "#lib/events/outbox.ts";
import { decode, UndecodableError } from "#lib/events/poison.ts";
import { type Count, othersOf } from "#lib/readmodel/count.ts";

/** Something that can be reacted to. */
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

export const likeCountsChanged = ({ kind, id }: Subject, count: Count): Fact =>
  fact({
    ...ofNobody,
    desc: LikeCountsChangedSchema,
    aggregate: `likes:${kind}:${id}`,
    version: BigInt(count.version),
    partition: id,
    value: {
      subject: { kind, id: String(id) },
      count: BigInt(count.value),
      version: BigInt(count.version),
      others: othersOf(count).map(([reaction, n]) => ({ reaction: reaction as Reaction, count: BigInt(n) })),
    },
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

/** By how much the counts of some kinds change. */
export type Deltas = ReadonlyMap<Reaction, number>;

/** By how much each subject's counts change. */
export function deltasOf(changes: readonly LikeChange[]): { subject: Subject; deltas: Deltas }[] {
  const found = new Map<string, { subject: Subject; deltas: Map<Reaction, number> }>();
  for (const { subject, reaction, previous } of changes) {
    const name = `${subject.kind}:${subject.id}`;
    const { deltas } = found.get(name) ?? { deltas: new Map<Reaction, number>() };
    const add = (kind: Reaction, n: number) => {
      if (kind !== Reaction.UNSPECIFIED) deltas.set(kind, (deltas.get(kind) ?? 0) + n);
    };
    add(previous, -1);
    add(reaction, 1);
    found.set(name, { subject, deltas });
  }
  return [...found.values()];
}
