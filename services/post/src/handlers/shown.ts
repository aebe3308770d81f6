import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { isForNamed, type ShareCounts } from "#lib/readmodel/card.ts";
import type { Version } from "../store/edit.ts";
import type { PostRow } from "../store/row.ts";
import type { PostRecord, StoredPost } from "../store.ts";

export const shown = (post: PostRow) => ({
  id: String(post.id),
  version: BigInt(post.version),
  authorId: String(post.authorId),
  audience: post.audience as Audience,
  text: post.text,
  createTime: timestampFromDate(post.createTime),
  replySetting: post.replySetting as ReplySetting,
  ...(post.content && { content: post.content }),
  ...(post.editTime && { editTime: timestampFromDate(post.editTime) }),
});

/** A post as it was in one version. */
export const versionOf = (post: StoredPost, { version, text, content, createTime }: Version): StoredPost => ({
  ...post,
  version,
  text,
  content,
  editTime: createTime,
});

export const recordShown = ({ authorId, version, createTime, deleted, deleteTime }: PostRecord) => ({
  authorId: String(authorId),
  version: BigInt(version),
  createTime: timestampFromDate(createTime),
  deleted,
  ...(deleteTime !== undefined && { deleteTime: timestampFromDate(deleteTime) }),
});

/** How often a post is passed on, `shares` where that is known better than by its row. */
export const slotOf = (post: StoredPost | undefined, shares = post?.shares) =>
  post === undefined ? {} : { post: shown(post), ...sharesShown(shares) };

export const sharesShown = ({ reposts, quotes, saves }: Omit<ShareCounts, "version"> = noShares) => ({
  repostCount: BigInt(Math.max(0, reposts)),
  quoteCount: BigInt(Math.max(0, quotes)),
  saveCount: BigInt(Math.max(0, saves)),
});

const noShares = { reposts: 0, quotes: 0, saves: 0 };

export const cardSlotOf = (post: StoredPost | undefined, shares = post?.shares) =>
  post === undefined
    ? {}
    : {
        card: {
          version: BigInt(post.version),
          authorId: post.authorId,
          deleted: post.deleted,
          audience: post.audience as Audience,
          mentionedUserIds: isForNamed(post) ? [...post.mentionedIds] : [],
          replySetting: post.replySetting as ReplySetting,
          ...(post.reposted && {
            repostedPostId: post.reposted.postId,
            repostedAuthorId: post.reposted.authorId,
          }),
          ...(post.quoted && { quotedPostId: post.quoted.postId, quotedAuthorId: post.quoted.authorId }),
          ...sharesShown(shares),
          countVersion: BigInt(shares?.version ?? 0),
        },
      };
