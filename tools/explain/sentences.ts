import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type ExplainPostResponse,
  type Explanation,
  type Fanout,
  ExplanationKind as Kind,
} from "#gen/skein/feed/v1/explain_pb.ts";
import { type AccountState, AccountStateSchema } from "#gen/skein/graph/v1/graph_pb.ts";
import { whole } from "../progress.ts";

/** Whom the sentences are about. */
export type Names = {
  readonly viewer: string;
  readonly author: string;
  /** Who passed it on; empty where nobody did. */
  readonly reposter: string;
  readonly postId: string;
};

/** An explanation for people: a line for each reason, and where to look on. */
export function sentencesOf({ shown, reasons, facts }: ExplainPostResponse, names: Names): string {
  const lines = reasons.map((reason) => sentenceOf(reason, names, facts?.createTime));
  return [
    `${shown ? "shown" : "hidden"}: ${lines[0] ?? "nothing is known"}`,
    ...lines.slice(1).map((line) => `${" ".repeat(shown ? 7 : 8)}${line}`),
    `its trace: npm run trace -- ${names.postId}`,
  ].join("\n");
}

const sentenceOf = (reason: Explanation, names: Names, postTime: Timestamp | undefined): string =>
  (whoIs(reason, names) ?? wayOf(reason, names, postTime)) || `reason ${reason.kind}, which this command does not know`;

/** Who the viewer is to the post. */
function whoIs(reason: Explanation, { viewer, author, reposter, postId }: Names): string | undefined {
  const { kind, time, authorState, repostId } = reason;
  const at = shownTime(time);
  const sentences: Partial<Record<Kind, string>> = {
    [Kind.NO_SUCH_VIEWER]: `there is no account ${viewer}`,
    [Kind.NO_SUCH_POST]: `there never was a post ${postId}`,
    [Kind.DELETED]: `${author} deleted it${at === "" ? "" : ` at ${at}`}`,
    [Kind.NOT_FOLLOWING]:
      at === "" ? `${viewer} never followed ${author}` : `${viewer} does not follow ${author} since ${at}`,
    [Kind.ACCOUNT_STATE]: `the account of ${author} is ${stateWord(authorState)}`,
    [Kind.NO_PROFILE]: `${author} has no profile`,
    [Kind.OWN]: `${viewer} wrote it`,
    [Kind.FOLLOWING]: `${viewer} follows ${author}${at === "" ? "" : ` since ${at}`}`,
    [Kind.PASSED_ON]: `passed on by ${reposter}: repost ${repostId}`,
    [Kind.ORIGINAL_HIDDEN]: `it passes on a post that ${viewer} is not to see: gone, for others, or of somebody muted`,
    [Kind.INCONSISTENT_HIDDEN]: "a bug: truth says that it belongs into this feed, and the home read hides it",
    [Kind.INCONSISTENT_SHOWN]: "a bug: truth says that it does not belong into this feed, and the home read shows it",
  };
  return sentences[kind];
}

/** The way it came into the page. */
function wayOf({ kind, time, fanout }: Explanation, { viewer }: Names, postTime: Timestamp | undefined): string {
  const at = shownTime(time);
  if (kind === Kind.PUSHED) {
    if (fanout === undefined) return `a fan-out wrote it to the timeline of ${viewer}; its record is not kept any more`;
    return `the fan-out pushed it at ${at} (${sinceThePost(fanout, postTime)}${whole(fanout.followerCount)} followers${endOf(fanout)})`;
  }
  if (kind === Kind.PULLED_FROM_LAG) {
    const reach = fanout === undefined ? "has not begun" : `has reached ${whole(fanout.followerCount)} followers`;
    return `it is pulled from the lag, where it is since ${at}: its fan-out ${reach}`;
  }
  if (kind === Kind.PULLED_WHEN_MADE) {
    return at === ""
      ? `the timeline of ${viewer} is not there, or made from other followings: the next read makes it, with this post`
      : `it was there already when the timeline of ${viewer} was made at ${at}`;
  }
  if (kind === Kind.PULLED_FROM_AUTHOR)
    return "its author has so many followers that it is pushed to nobody: it is pulled from the author's timeline";
  if (kind === Kind.FROM_TRUTH)
    return `it is older than what the timeline of ${viewer} keeps (${at}), and read from the database`;
  return "";
}

/** `12 ms after the post, `: from the fact to the first page. */
function sinceThePost({ publicTime, beginTime }: Fanout, postTime: Timestamp | undefined): string {
  const from = publicTime ?? postTime;
  if (from === undefined || beginTime === undefined) return "";
  return `${whole(timestampMs(beginTime) - timestampMs(from))} ms after the post, `;
}

function endOf({ beginTime, endTime }: Fanout): string {
  if (endTime === undefined) return ", under way";
  return beginTime === undefined ? "" : `, done in ${whole(timestampMs(endTime) - timestampMs(beginTime))} ms`;
}

const shownTime = (time: Timestamp | undefined): string =>
  time === undefined ? "" : new Date(timestampMs(time)).toISOString().replace("T", " ").replace("Z", " UTC");

const stateWord = (state: AccountState): string => (AccountStateSchema.value[state]?.localName ?? "").toLowerCase();
