import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type ExplainedFactsSchema,
  type ExplanationSchema,
  type FanoutSchema,
  ExplanationKind as Kind,
  TimelineState,
} from "#gen/skein/feed/v1/explain_pb.ts";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { maySeePost, type Standing } from "#lib/readmodel/audience.ts";
import type { Card } from "#lib/readmodel/card.ts";
import type { TimelineEntry } from "#lib/readmodel/timeline.ts";
import { timeOf } from "#lib/storage/id.ts";
import type { FanoutRecord } from "../store.ts";
import type { Placed } from "./decide.ts";
import type { Evidence } from "./explain.ts";

type Explanation = MessageInitShape<typeof ExplanationSchema>;

/** Why a post is in a home feed or not: who the viewer is to it, then the way it came. A bug is said first. */
export function reasonsOf(evidence: Evidence): Explanation[] {
  const { due, shown, follow, post, passedOn } = evidence;
  if (follow.followerState === AccountState.UNSPECIFIED) return [{ kind: Kind.NO_SUCH_VIEWER }];
  if (post === undefined) return [{ kind: Kind.NO_SUCH_POST }];
  const bug = shown ? Kind.INCONSISTENT_SHOWN : Kind.INCONSISTENT_HIDDEN;
  return [
    ...(due === shown ? [] : [{ kind: bug }]),
    ...(passedOn === undefined ? [] : [passedOnBy(passedOn)]),
    ...(due ? [standingOf(evidence)] : hidingOf(evidence)),
    ...(shown ? wayOf(evidence) : []),
  ];
}

const passedOnBy = ({ activityId, repostedBy }: Placed): Explanation => ({
  kind: Kind.PASSED_ON,
  repostId: String(activityId),
  repostedById: String(repostedBy?.id),
});

const standingOf = ({ viewerId, post, follow }: Evidence): Explanation =>
  BigInt(post?.authorId ?? 0) === viewerId
    ? { kind: Kind.OWN }
    : { kind: Kind.FOLLOWING, ...(follow.changeTime && { time: follow.changeTime }) };

/** All that hides it: one alone would be enough. */
function hidingOf({ viewerId, post, follow, standing, card, hasProfile, isOriginalHidden }: Evidence): Explanation[] {
  const isOwn = BigInt(post?.authorId ?? 0) === viewerId;
  const found: Explanation[] = [];
  if (post?.deleted) found.push({ kind: Kind.DELETED, ...(post.deleteTime && { time: post.deleteTime }) });
  if (!isOwn && !follow.following)
    found.push({ kind: Kind.NOT_FOLLOWING, ...(follow.changeTime && { time: follow.changeTime }) });
  if (!isOwn && follow.followeeState !== AccountState.ACTIVE)
    found.push({ kind: Kind.ACCOUNT_STATE, authorState: follow.followeeState });
  if (!isOwn && (standing?.blocking || standing?.blockedBy)) found.push({ kind: Kind.BLOCKED });
  if (!isOwn && standing?.muting) found.push({ kind: Kind.MUTED });
  if (!isOwn && isForOthers(viewerId, card, standing)) found.push({ kind: Kind.NOT_IN_AUDIENCE });
  if (!hasProfile) found.push({ kind: Kind.NO_PROFILE });
  if (isOriginalHidden) found.push({ kind: Kind.ORIGINAL_HIDDEN });
  return found;
}

/** Whether it would still be hidden if its author were there and nobody blocked anybody. */
const isForOthers = (viewerId: bigint, card: Card | undefined, standing: Standing | undefined): boolean =>
  card !== undefined &&
  standing !== undefined &&
  !maySeePost(
    viewerId,
    { ...card, deleted: false },
    { ...standing, state: AccountState.ACTIVE, blocking: false, blockedBy: false },
  );

/** How it came into the page. What a timeline holds was pushed if it became public after the timeline was made. */
function wayOf({ postId, sources, lagMs, fanout }: Evidence): Explanation[] {
  if (sources === undefined) return [];
  const { slice, merged, kept, low, older, pulled } = sources;
  const holds = (entries: readonly TimelineEntry[]) => entries.some(({ activityId }) => activityId === postId);
  const record = fanout && { fanout: fanoutShown(fanout) };
  if (holds(kept)) {
    if (merged !== undefined) return [{ kind: Kind.PULLED_WHEN_MADE }];
    if (!holds(slice.entries) && holds(pulled)) return [{ kind: Kind.PULLED_FROM_AUTHOR }];
    const madeMs = slice.seal?.timeMs ?? 0;
    if ((fanout?.publicMs ?? timeOf(postId)) <= madeMs) return [{ kind: Kind.PULLED_WHEN_MADE, ...timed(madeMs) }];
    return [{ kind: Kind.PUSHED, ...timed(fanout?.beginMs), ...record }];
  }
  if (holds(older)) return [{ kind: Kind.FROM_TRUTH, ...timed(timeOf(low)) }];
  return [{ kind: Kind.PULLED_FROM_LAG, ...timed(lagMs), ...record }];
}

/** Everything that was looked at, as ids, numbers and times. */
export function factsOf(evidence: Evidence): MessageInitShape<typeof ExplainedFactsSchema> {
  const { post, follow, sources, lagMs, fanout, proposed, visible, due } = evidence;
  return {
    ...(post && {
      authorId: post.authorId,
      postVersion: post.version,
      authorState: follow.followeeState,
      following: follow.following,
      ...(post.createTime && { createTime: post.createTime }),
      ...(post.deleteTime && { deleteTime: post.deleteTime }),
      ...(follow.changeTime && { followChangeTime: follow.changeTime }),
    }),
    viewerState: follow.followerState,
    followSetVersion: follow.followSetVersion,
    ...(sources && { timeline: timelineShown(evidence.postId, sources) }),
    ...(lagMs !== undefined && { lagTime: timestampFromMs(lagMs) }),
    ...(fanout && { fanout: fanoutShown(fanout) }),
    proposed,
    visible,
    due,
  };
}

function timelineShown(postId: bigint, { slice: { seal, entries }, merged }: NonNullable<Evidence["sources"]>) {
  if (seal === undefined) return { state: TimelineState.MISSING };
  return {
    state: merged === undefined ? TimelineState.FRESH : TimelineState.STALE,
    makeTime: timestampFromMs(seal.timeMs),
    followSetVersion: seal.version,
    lowWatermark: seal.lowWatermark,
    holdsPost: entries.some(({ activityId }) => activityId === postId),
  };
}

const fanoutShown = (record: FanoutRecord): MessageInitShape<typeof FanoutSchema> => ({
  ...(record.publicMs !== undefined && { publicTime: timestampFromMs(record.publicMs) }),
  ...(record.beginMs !== undefined && { beginTime: timestampFromMs(record.beginMs) }),
  ...(record.endMs !== undefined && { endTime: timestampFromMs(record.endMs) }),
  followerCount: record.followerCount,
  traceId: record.traceparent.slice(3, 35),
});

const timed = (ms: number | undefined) => (ms === undefined ? {} : { time: timestampFromMs(ms) });
