import { Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { createLanes, insist, type Operator } from "../operator.ts";
import type { Progress } from "../progress.ts";
import { randomOf } from "./random.ts";

/** What people do with others' posts, by their number alone. */
export type Reactions = {
  readonly likesEach: number;
  readonly commentsEach: number;
  readonly comments: readonly [string, ...string[]];
};

type Needs = {
  readonly name: string;
  readonly reactions: Reactions;
  readonly operator: Operator;
  readonly progress: Progress;
};

const postsMax = 20;
const callsAtOnce = 8;

/** Makes everyone like and comment on posts of others, as they would by themselves: a call each. Again changes nothing. */
export async function plantReactions({ name, reactions, operator, progress }: Needs, ids: BigUint64Array) {
  const { likesEach, commentsEach, comments } = reactions;
  const posts = await postsOf(operator, ids);
  const lanes = createLanes(callsAtOnce);
  const total = ids.length * (likesEach + commentsEach);
  let done = 0;
  for (const [nth, userId] of ids.entries()) {
    const random = randomOf("reactions", name, nth);
    for (let at = 0; at < likesEach + commentsEach; at++) {
      const postId = posts[random.below(posts.length)];
      const text = random.pick(comments);
      if (postId === undefined) continue;
      await lanes.run(async () => {
        const key = `${name}-comment-${nth}-${at}`;
        await insist<unknown>(
          (options) =>
            at < likesEach
              ? operator.like.like(
                  { subject: { kind: SubjectKind.POST, id: postId }, reaction: Reaction.LIKE },
                  options,
                )
              : operator.comment.createComment({ postId, text, idempotencyKey: key }, options),
          String(userId),
        );
        progress.update({ what: "likes and comments", done: ++done, total });
      });
    }
  }
  await lanes.drain();
  return { likes: ids.length * likesEach, comments: ids.length * commentsEach };
}

async function postsOf({ post }: Operator, ids: BigUint64Array): Promise<string[]> {
  const request = { authorIds: [...ids].slice(0, 100), limit: postsMax };
  const { lists } = await insist((options) => post.batchListActivities(request, options));
  return lists.flatMap(({ activityIds }) => activityIds.map(String));
}
