import { markedSetFamily, memberSetFamily, memberSetScripts } from "./member-set.ts";
import { pulledScripts } from "./pulled.ts";
import { tieScripts } from "./tie.ts";
import { timelineFamily, timelineScripts } from "./timeline.ts";
import { versionedScripts } from "./versioned.ts";
import { viewerLookScripts } from "./viewer-look.ts";

/** `tl:<viewer>`: home timelines. Owner: feed. Missing: merged from the authors' at the next visit. */
export const homeTimelines = timelineFamily("tl");

/**
 * `tla:<author>`: what each author made public. Owner: post, which pushes before it answers, so that an author sees it
 * at once. Missing: post.BatchListActivities builds it.
 */
export const authorTimelines = timelineFamily("tla");

/**
 * `rel:<viewer>`: whom a viewer follows, all of them. Owner: graph, which applies each change after its commit and
 * before its answer. Bound: 5,000, as many as one may follow. Missing: graph.GetFollowSet builds it.
 */
export const followSets = memberSetFamily("rel", 5_000);

/**
 * `ties:<viewer>`: whom a viewer blocks and mutes, who blocks the viewer and who counts the viewer among their close
 * friends, as `tieMember` writes them. Owner: graph, which applies each change after its commit and before its answer.
 * Bound: 20,000; who has more has no set, and graph.BatchGetStandings answers page by page. Missing: that builds it.
 */
export const tiesMax = 20_000;
export const tieSets = memberSetFamily("ties", tiesMax);

/**
 * `reacted:<viewer>`: the newest posts a viewer reacts to, by post id, each marked with the reaction, down to the set's low
 * watermark. Owner: like, which applies each change after its commit and before its answer. Bound: 4,000; a build takes the
 * newest 2,000. Missing: like.GetLikedSet builds it; below the watermark like.BatchGetLikes answers.
 */
export const reactedSets = markedSetFamily("reacted", 4_000);

/** What a mark of `own:<viewer>` says; both are 3. */
export const ownMark = { saved: 1, reposted: 2 } as const;

/**
 * `own:<viewer>`: the newest posts a viewer keeps or reposted, by post id, each marked with which of the two (`ownMark`), down to the
 * set's low watermark. Owner: post, which applies each change after its commit and before its answer. Bound: 4,000; a build takes the
 * newest 2,000. Missing: post.GetSavedSet builds it; below the watermark post.BatchGetSaves answers.
 */
export const ownSets = markedSetFamily("own", 4_000);

/** Every script of the read models; each process loads them all. */
export const readModelScripts = [
  ...versionedScripts,
  ...memberSetScripts,
  ...tieScripts,
  ...viewerLookScripts,
  ...timelineScripts,
  ...pulledScripts,
];
