import assert from "node:assert/strict";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type ExplainPostResponse,
  type Explanation,
  ExplanationKind as Kind,
  TimelineState,
} from "#gen/skein/feed/v1/explain_pb.ts";
import { timeOf } from "#lib/storage/id.ts";
import type { Recorded, RecordedPost, Span } from "./recorded.ts";

/** Whether what an explanation says of one pair is what was done: each time within the moments it was done in. */
export function assertTold(recorded: Recorded, viewer: string, post: RecordedPost, told: ExplainPostResponse): void {
  for (const reason of told.reasons) {
    const wrong = wrongIn(recorded, viewer, post, reason, told);
    assert.equal(wrong, undefined, `${viewer} ${post.id}: kind ${reason.kind}: ${wrong}`);
  }
}

function wrongIn(
  { follows, deletes, reads }: Recorded,
  viewer: string,
  post: RecordedPost,
  { kind, time, fanout }: Explanation,
  { facts }: ExplainPostResponse,
): string | undefined {
  const change = follows.get(`${viewer} ${post.author}`);
  const made = reads.get(viewer) ?? [];
  if (kind === Kind.OWN) return viewer === post.author ? undefined : "somebody else's";
  if (kind === Kind.DELETED) return within(time, deletes.get(post.id));
  if (kind === Kind.FOLLOWING) return change?.following ? within(time, change) : "no such follow";
  if (kind === Kind.NOT_FOLLOWING) {
    if (change === undefined) return time === undefined ? undefined : "there never was a follow";
    return change.following ? "a follow" : within(time, change);
  }
  if (kind === Kind.PULLED_WHEN_MADE) return time === undefined ? undefined : withinAny(time, made);
  if (kind === Kind.FROM_TRUTH) {
    const { state = TimelineState.MISSING, lowWatermark: low = 0n, holdsPost = false } = facts?.timeline ?? {};
    // One that is made anew for this read may reach less far down than it did.
    if (state === TimelineState.FRESH && holdsPost) return "the timeline holds it";
    const lowMs = timestampMs(time as Timestamp);
    if (state === TimelineState.FRESH && lowMs !== timeOf(low)) return "not at the low watermark";
    return timeOf(BigInt(post.id)) < lowMs ? undefined : "not older than the low watermark";
  }
  if (kind === Kind.PUSHED) {
    if (fanout?.endTime === undefined) return "no fan-out that ended";
    if (fanout.followerCount !== post.followers) return `${fanout.followerCount} followers, not ${post.followers}`;
    if (!/^[0-9a-f]{32}$/.test(fanout.traceId)) return "no trace";
    if (timestampMs(fanout.endTime) < timestampMs(time as Timestamp)) return "ended before it began";
    return within(fanout.publicTime, post) ?? withinAny(facts?.timeline?.makeTime, made);
  }
  if (kind === Kind.PULLED_FROM_LAG) {
    if (fanout?.endTime !== undefined || (fanout?.followerCount ?? 0) !== 0) return "fanned out already";
    return within(time, post);
  }
  return "unexpected";
}

function within(time: Timestamp | undefined, span: Span | undefined): string | undefined {
  if (time === undefined || span === undefined) return "no time";
  const ms = timestampMs(time);
  return ms >= span.fromMs && ms <= span.toMs ? undefined : `${ms} is not from ${span.fromMs} to ${span.toMs}`;
}

const withinAny = (time: Timestamp | undefined, spans: readonly Span[]): string | undefined =>
  spans.some((span) => within(time, span) === undefined) ? undefined : "in no read";
