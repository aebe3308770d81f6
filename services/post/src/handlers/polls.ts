import { create } from "@bufbuild/protobuf";
import { Code, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { type PostPoll, PostPollSchema } from "#gen/skein/post/v1/content_pb.ts";
import type { PollService } from "#gen/skein/post/v1/poll_pb.ts";
import { anyViewerIdOf, viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound, problem } from "#lib/mesh/errors.ts";
import { textOf } from "#lib/mesh/text.ts";
import { perTurn } from "#lib/mesh/turn.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { parseId } from "#lib/storage/id.ts";
import type { PostReadModel } from "../read-model.ts";
import { optionsMax, type PollStore, type Standing } from "../store/poll.ts";
import type { PostStore, StoredPost } from "../store.ts";
import { seeing, seenOf } from "./seen.ts";
import { shown } from "./shown.ts";

/** Ids in one batch. */
const batchMax = 100;
/** Pages that look at their posts together: as many as a batch of the mesh brings. */
const pagesMax = 32;

type Needs = {
  readonly polls: PollStore;
  readonly store: Pick<PostStore, "byIds">;
  readonly readModel: Pick<PostReadModel, "load">;
  readonly standings: StandingReader;
};

export function pollHandlers({ polls, store, readModel, standings }: Needs): ServiceImpl<typeof PollService> {
  const seen = seeing({ readModel, standings });
  /** Posts, whoever may see them. */
  const look = perTurn(pagesMax, async (asks: readonly (readonly bigint[])[]) => {
    const posts = await store.byIds([...new Set(asks.flat())]);
    return asks.map(() => posts);
  });

  return {
    async vote(req, ctx) {
      const userId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, userId, within(ctx));
      const postId = parseId(req.postId);
      if (postId === undefined) throw notFound("post");
      const post = await seen.require(postId, ctx);
      const options = chosenOf(req.options, pollIn(post, userId));
      const outcome = await polls.vote({ postId, userId, options });
      if (outcome === "ended") throw refused("poll-ended", "the poll is over");
      if (outcome === "voted-otherwise") throw refused("already-voted", "a vote is final");
      const standing = (await polls.standings([postId], userId)).get(postId);
      if (standing === undefined) throw notFound("poll");
      return { post: shown(post), state: stateOf(post, standing, userId) };
    },

    async batchGetPolls(req, ctx: HandlerContext) {
      if (req.postIds.length > batchMax) throw invalid("post_ids", `must be at most ${batchMax}`);
      const ids = req.postIds.map((id) => parseId(id) ?? 0n);
      const viewerId = anyViewerIdOf(ctx);
      const looked = await look(ids);
      const asking = [...new Set(ids)].flatMap((id) => looked.get(id) ?? []).filter(({ content }) => content?.poll);
      const posts = await seenOf(standings, asking, ctx);
      const found = await polls.standings([...posts.keys()], viewerId);
      return {
        polls: ids.map((id) => {
          const [post, standing] = [posts.get(id), found.get(id)];
          return post === undefined || standing === undefined ? {} : { state: stateOf(post, standing, viewerId) };
        }),
      };
    },
  };
}

/** The poll of a post, for somebody to vote in. */
function pollIn({ authorId, content }: StoredPost, userId: bigint): PostPoll {
  if (content?.poll === undefined) throw refused("no-poll", "the post asks nothing");
  // Its author sees the counts from the start.
  if (authorId === userId) throw refused("own-poll", "nobody votes in a poll of their own");
  return content.poll;
}

const refused = (reason: string, message: string) => problem(Code.FailedPrecondition, reason, message);

function chosenOf(sent: readonly number[], { options, multiple }: PostPoll): number[] {
  const chosen = [...new Set(sent)].sort((a, b) => a - b);
  if (chosen.length < sent.length) throw invalid("options", "must name none twice");
  if (chosen.length === 0) throw invalid("options", "must name one");
  if (chosen.length > 1 && !multiple) throw invalid("options", "must name one alone");
  const strange = sent.findIndex((option) => option >= options.length);
  if (strange >= 0) throw invalid(`options[${strange}]`, `must be below ${options.length}`);
  return chosen;
}

/** How a poll stands, as far as somebody may know: what leads is told to who voted, to its author, and to all once it is over. */
function stateOf({ authorId, content }: StoredPost, standing: Standing, viewerId: bigint | undefined) {
  const { ended, voters, votes, own } = standing;
  const isTold = ended || own.length > 0 || authorId === viewerId;
  return {
    ended,
    voterCount: voters,
    voteCounts: isTold ? votes.slice(0, content?.poll?.options.length) : [],
    ownOptions: [...own],
  };
}

const optionsMin = 2;
const optionBounds = { graphemesMax: 50, bytesMax: 400 };
const secondsMin = 300;
const secondsMax = 30 * 86_400;

/** What a poll asks, as it is kept. */
export function pollOf({ options, durationSeconds, multiple }: Omit<PostPoll, "$typeName">): PostPoll {
  const { graphemesMax, bytesMax } = optionBounds;
  if (options.length < optionsMin || options.length > optionsMax) {
    throw invalid("poll.options", `must be ${optionsMin} to ${optionsMax}`);
  }
  for (const [nth, option] of options.entries()) {
    const place = `poll.options[${nth}]`;
    if (!isOption(option)) {
      throw invalid(place, `must be 1 to ${graphemesMax} characters and at most ${bytesMax} bytes`);
    }
    if (options.indexOf(option) < nth) throw invalid(place, "must be there once");
  }
  if (durationSeconds < secondsMin || durationSeconds > secondsMax) {
    throw invalid("poll.duration_seconds", `must be between ${secondsMin} and ${secondsMax}`);
  }
  return create(PostPollSchema, { options, durationSeconds, multiple });
}

function isOption(text: string): boolean {
  try {
    return textOf(text, optionBounds) === text;
  } catch {
    return false;
  }
}
