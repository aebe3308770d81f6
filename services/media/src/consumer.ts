import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { CommentCreatedSchema, CommentDeletedSchema } from "#gen/skein/comment/v1/events_pb.ts";
import {
  DraftChangedSchema,
  PostCreatedSchema,
  PostDeletedSchema,
  PostEditedSchema,
} from "#gen/skein/post/v1/events_pb.ts";
import { ProfileChangedSchema } from "#gen/skein/user/v1/events_pb.ts";
import type { Event } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";
import { claimOfAvatar, claimOfDraft } from "#lib/service/claims.ts";
import type { Sql } from "#lib/storage/mysql.ts";
import type { MediaStore } from "./store.ts";

/** What a fact of one type changes here, if it does. */
type Effect = {
  readonly concerns: (event: Event) => boolean;
  readonly apply: (tx: Sql, event: Event) => Promise<unknown>;
};

/** What facts of a type change: all of them, or those that concern media. */
const on = <D extends DescMessage>(
  desc: D,
  apply: (tx: Sql, fact: MessageShape<D>) => Promise<unknown>,
  concerns: (fact: MessageShape<D>) => boolean = () => true,
): readonly [string, Effect] => [
  desc.name,
  {
    concerns: (event) => concerns(decode(desc, event)),
    apply: (tx, event) => apply(tx, decode(desc, event)),
  },
];

/** Facts of other types change nothing here. */
function hearing(...effects: (readonly [string, Effect])[]) {
  const byType = new Map(effects);
  return {
    concerns: (event: Event): boolean => byType.get(event.type)?.concerns(event) ?? false,
    async apply(tx: Sql, events: readonly Event[]): Promise<void> {
      for (const event of events) await byType.get(event.type)?.apply(tx, event);
    },
    applied: (): void => {},
  };
}

/** Most posts have no media, and neither have most comments. */
const hasMedia = ({ mediaIds }: { readonly mediaIds: readonly unknown[] }): boolean => mediaIds.length > 0;

/**
 * What media hears of posts: what was claimed for one has become part of it, what was part of one that is gone may go, and which
 * preview one shows. What a draft has stays while the draft does, and is free again afterwards.
 */
export const hearPosts = (store: MediaStore, { orphanSeconds }: { readonly orphanSeconds: number }) =>
  hearing(
    on(PostCreatedSchema, (tx, { postId, mediaIds }) => store.confirm(tx, BigInt(postId), mediaIds), hasMedia),
    on(PostEditedSchema, (tx, { postId, linkPreviewId, version }) =>
      store.usePreview(tx, BigInt(postId), linkPreviewId, version),
    ),
    on(PostDeletedSchema, async (tx, { postId }) => {
      await store.release(tx, [BigInt(postId)]);
      await store.dropPreview(tx, BigInt(postId));
    }),
    on(DraftChangedSchema, (tx, { draftId, authorId, mediaIds }) => {
      const claim = { ownerId: BigInt(authorId), attachment: claimOfDraft(draftId) };
      return store.hold(tx, claim, mediaIds, orphanSeconds);
    }),
  );

/** What media hears of comments: the same, for pictures; they go with the comment, and with the post that it stands under. */
export const hearComments = (store: MediaStore) =>
  hearing(
    on(
      CommentCreatedSchema,
      (tx, { commentId, postId, mediaIds }) => store.confirm(tx, BigInt(postId), mediaIds, BigInt(commentId)),
      hasMedia,
    ),
    on(CommentDeletedSchema, (tx, { commentId }) => store.releaseComment(tx, BigInt(commentId))),
  );

/** What media hears of people: the picture that somebody chose stays, and the one before it may go. */
export const hearProfiles = (store: MediaStore) =>
  hearing(
    on(ProfileChangedSchema, (tx, { userId, avatarMediaId }) =>
      store.settle(tx, { ownerId: BigInt(userId), attachment: claimOfAvatar(userId) }, avatarMediaId),
    ),
  );
