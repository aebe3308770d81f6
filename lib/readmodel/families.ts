import { followSetScripts } from "./follow-set.ts";
import { timelineFamily, timelineScripts } from "./timeline.ts";
import { versionedScripts } from "./versioned.ts";

/** `tl:<viewer>`: home timelines. Owner: feed. Missing: merged from the authors' at the next visit. */
export const homeTimelines = timelineFamily("tl");

/**
 * `tla:<author>`: what each author made public. Owner: post, which pushes before it answers, so that an author sees it
 * at once. Missing: post.BatchListActivities builds it.
 */
export const authorTimelines = timelineFamily("tla");

/** Every script of the read models; each process loads them all. */
export const readModelScripts = [...versionedScripts, ...followSetScripts, ...timelineScripts];
