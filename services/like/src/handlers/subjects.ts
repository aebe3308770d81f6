import type { Client, HandlerContext } from "@connectrpc/connect";
import type { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { type Subject as SentSubject, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import type { VisiblePosts } from "#lib/readmodel/visible-post.ts";
import { parseId } from "#lib/storage/id.ts";
import type { Subject } from "../events.ts";

const nouns: { readonly [K in SubjectKind]?: string } = {
  [SubjectKind.POST]: "post",
  [SubjectKind.COMMENT]: "comment",
};

/** Whether what is reacted to is there for the viewer of a call: posts by the rule, comments by their owner's word. */
export function visibleSubjects({ posts, comments }: { posts: VisiblePosts; comments: Client<typeof CommentService> }) {
  /** NOT_FOUND for what never was, is gone, or is not for this viewer. */
  const require = async ({ kind, id }: Subject, ctx: HandlerContext): Promise<void> => {
    if (kind === SubjectKind.POST) await posts.require(id, ctx);
    else await comments.getComment({ commentId: String(id) }, within(ctx));
  };

  return {
    require,
    mayWrite: posts.mayWrite,
    standings: posts.standings,

    /** The same for who would react to it: PERMISSION_DENIED where the viewer's own account is not open. */
    async requireToWrite(subject: Subject, ctx: HandlerContext): Promise<void> {
      if (subject.kind === SubjectKind.POST) return void (await posts.requireToWrite(subject.id, ctx));
      await posts.mayWrite(ctx);
      await require(subject, ctx);
    },

    /** Which of some subjects of one kind are there. */
    async among(kind: SubjectKind, ids: readonly bigint[], ctx: HandlerContext): Promise<{ has(id: bigint): boolean }> {
      if (kind === SubjectKind.POST) return posts.among(ids, ctx);
      if (ids.length === 0) return new Set();
      const found = await comments.batchGetComments({ commentIds: ids.map(String) }, within(ctx));
      return new Set(ids.filter((_, nth) => found.comments[nth]?.comment !== undefined));
    },
  };
}

export type VisibleSubjects = ReturnType<typeof visibleSubjects>;

export function subjectOf(sent: SentSubject | undefined): Subject {
  const kind = kindOf(sent?.kind);
  const id = parseId(sent?.id ?? "");
  if (id === undefined) throw notFound(nouns[kind] ?? "");
  return { kind, id };
}

/** What can be reacted to; INVALID_ARGUMENT for anything else. */
export function kindOf(kind: SubjectKind | undefined, field = "subject.kind"): SubjectKind {
  if (kind === undefined || nouns[kind] === undefined)
    throw invalid(field, "must be one of those named in the contract");
  return kind;
}
