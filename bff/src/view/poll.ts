import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { type NewPoll, type Poll, PollSchema, PostSchema } from "#gen/skein/api/v1/resources_pb.ts";
import type { PostPoll } from "#gen/skein/post/v1/content_pb.ts";
import type { PollState } from "#gen/skein/post/v1/poll_pb.ts";
import type { Post } from "#gen/skein/post/v1/post_pb.ts";
import { messageField } from "./bytes.ts";
import type { PostPiece } from "./piece.ts";

/** How the poll of a post stands for one reader, in both forms. */
export type ShownPoll = { readonly json: Buffer; readonly binary: Buffer };

const none = Buffer.alloc(0);

/** Of a post's JSON what stands at its end: nothing where it asks nothing. */
export const jsonOfPoll = (poll: ShownPoll | undefined): Buffer => poll?.json ?? none;

/** The same as a field of its message. */
export const binaryOfPoll = (poll: ShownPoll | undefined): Buffer => poll?.binary ?? none;

/** The poll of a post; without a state, where nobody could be asked, what it asks. */
export function shownPoll({ content: post }: PostPiece, state: PollState | undefined): ShownPoll {
  const view = pollView(post, state);
  const { poll } = PostSchema.field;
  const json = JSON.stringify(toJson(PollSchema, view, { alwaysEmitImplicit: true }));
  return { json: Buffer.from(`,"${poll.jsonName}":${json}`), binary: messageField(poll, toBinary(PollSchema, view)) };
}

export function pollView({ content, createTime }: Post, state: PollState | undefined): Poll {
  const { options = [], multiple = false, durationSeconds = 0 } = content?.poll ?? {};
  const counts = state?.voteCounts ?? [];
  return create(PollSchema, {
    options: options.map((text, nth) => ({ text, ...(counts[nth] !== undefined && { voteCount: counts[nth] }) })),
    multiple,
    ...(createTime && { endTime: timestampFromMs(timestampMs(createTime) + durationSeconds * 1_000) }),
    ended: state?.ended ?? false,
    ...(state && { voterCount: state.voterCount }),
    chosen: state?.ownOptions ?? [],
  });
}

/** A poll as it is asked for, whoever says so. */
export const pollSent = ({ options, durationSeconds, multiple }: NewPoll | PostPoll) => ({
  options,
  durationSeconds,
  multiple,
});
