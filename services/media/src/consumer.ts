import { PostCreatedSchema, PostDeletedSchema } from "#gen/skein/post/v1/events_pb.ts";
import { ProfileChangedSchema } from "#gen/skein/user/v1/events_pb.ts";
import type { Event } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";
import type { Sql } from "#lib/storage/mysql.ts";
import type { MediaStore } from "./store.ts";

/** What media hears of posts: what was claimed for one has become part of it, and what was part of one that is gone may go. */
export function hearPosts(store: MediaStore) {
  return {
    async apply(tx: Sql, events: readonly Event[]): Promise<void> {
      for (const event of events) {
        if (event.type === PostCreatedSchema.name) {
          const { postId, mediaIds } = decode(PostCreatedSchema, event);
          await store.confirm(tx, BigInt(postId), mediaIds);
        }
        if (event.type === PostDeletedSchema.name) {
          await store.release(tx, [BigInt(decode(PostDeletedSchema, event).postId)]);
        }
      }
    },
    applied: (): void => {},
  };
}

/** What media hears of people: the picture that somebody chose stays, and the one before it may go. */
export function hearProfiles(store: MediaStore) {
  return {
    async apply(tx: Sql, events: readonly Event[]): Promise<void> {
      for (const event of events) {
        if (event.type !== ProfileChangedSchema.name) continue;
        const { userId, avatarMediaId } = decode(ProfileChangedSchema, event);
        await store.settle(tx, { ownerId: BigInt(userId), attachment: `avatar:${userId}` }, avatarMediaId);
      }
    },
    applied: (): void => {},
  };
}
