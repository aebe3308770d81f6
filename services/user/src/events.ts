import { UserRegisteredSchema } from "#gen/skein/user/v1/events_pb.ts";
import { type Fact, fact, type Origin } from "#lib/events/outbox.ts";

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
