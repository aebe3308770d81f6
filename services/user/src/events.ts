import { ProfileChangedSchema, UserRegisteredSchema } from "#gen/skein/user/v1/events_pb.ts";
import { type Event, type Fact, fact, type Origin } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";

export const userRegistered = (userId: bigint, version: number, { traceparent }: Origin): Fact =>
  fact({
    actor: userId,
    traceparent,
    desc: UserRegisteredSchema,
    aggregate: `user:${userId}`,
    version: BigInt(version),
    partition: userId,
    value: { userId: String(userId), version: BigInt(version) },
  });

export const profileChanged = (userId: bigint, version: number, avatarMediaId: bigint, origin: Origin): Fact =>
  fact({
    ...origin,
    desc: ProfileChangedSchema,
    aggregate: `user:${userId}`,
    version: BigInt(version),
    partition: userId,
    value: { userId: String(userId), version: BigInt(version), avatarMediaId },
  });

/** Versions that profiles were given, as some facts tell. */
export const versionsIn = (events: readonly Pick<Event, "type" | "payload">[]): { id: bigint; version: number }[] =>
  events.flatMap(({ type, payload }) => {
    if (type !== ProfileChangedSchema.name) return [];
    const { userId, version } = decode(ProfileChangedSchema, { payload });
    return [{ id: BigInt(userId), version: Number(version) }];
  });
