import assert from "node:assert/strict";
import type { Person } from "./person.ts";

/** For whom a post is, as clients say it. */
export const audiences = [
  "AUDIENCE_PUBLIC",
  "AUDIENCE_FOLLOWERS",
  "AUDIENCE_CLOSE_FRIENDS",
  "AUDIENCE_MENTIONED",
  "AUDIENCE_ONLY_ME",
] as const;
export type AudienceName = (typeof audiences)[number];

/** A post that somebody made, and for whom. */
export type Made = {
  readonly id: string;
  readonly authorId: string;
  readonly audience: AudienceName;
  readonly mentioned: readonly string[];
};

/** Since when something certainly holds, as a moment of `performance.now()`; undefined while it may not. */
type Certain = Map<string, number>;

/**
 * What certainly is forbidden, kept beside a history that runs at once: a change that forbids counts from its answer on, and
 * until one that allows begins. A read that began after the answer, and ended before the beginning, must obey. Changes of
 * the same thing do not overlap here, or nobody could say which came last; everything else does.
 */
export function openForbidden(people: readonly Person[]) {
  const certain: Certain = new Map();
  const taken = new Map<string, Promise<void>>();
  const posts = new Map<string, Made>();
  for (const viewer of people) {
    for (const author of people) {
      certain.set(`unfollowed ${viewer.id} ${author.id}`, 0);
      certain.set(`unlisted ${author.id} ${viewer.id}`, 0);
    }
  }

  /** Has some things to oneself, in one order for everybody. */
  async function alone<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const [name, ...rest] = [...new Set(names)].sort();
    if (name === undefined) return work();
    const before = taken.get(name) ?? Promise.resolve();
    const mine = before.then(() => alone(rest, work));
    const done = mine.then(
      () => {},
      () => {},
    );
    taken.set(name, done);
    return mine;
  }

  const holds = (name: string, sinceMs: number): boolean => (certain.get(name) ?? Number.POSITIVE_INFINITY) < sinceMs;
  const isBarred = (a: string, b: string, sinceMs: number) =>
    holds(`blocked ${a} ${b}`, sinceMs) || holds(`blocked ${b} ${a}`, sinceMs);
  const isGone = (id: string, sinceMs: number) => holds(`closed ${id}`, sinceMs);

  /** Why a viewer must not see a post in a read that began then; undefined where they may. */
  function whyNot(viewerId: string, postId: string, sinceMs: number, atHome: boolean): string | undefined {
    const post = posts.get(postId);
    if (post === undefined) return undefined;
    const { authorId, audience, mentioned } = post;
    if (holds(`deleted ${postId}`, sinceMs)) return "deleted";
    if (authorId === viewerId) return undefined;
    if (isGone(authorId, sinceMs)) return "its author is gone";
    if (isBarred(viewerId, authorId, sinceMs)) return "blocked";
    const isStranger = holds(`unfollowed ${viewerId} ${authorId}`, sinceMs);
    if (atHome && isStranger) return "not followed";
    if (atHome && holds(`muted ${viewerId} ${authorId}`, sinceMs)) return "muted";
    if (audience === "AUDIENCE_ONLY_ME") return "for its author alone";
    if (audience === "AUDIENCE_MENTIONED" && !mentioned.includes(viewerId)) return "for others by name";
    if (audience === "AUDIENCE_FOLLOWERS" && isStranger) return "for followers";
    if (audience === "AUDIENCE_CLOSE_FRIENDS" && holds(`unlisted ${authorId} ${viewerId}`, sinceMs))
      return "for close friends";
    if (audience === "AUDIENCE_PUBLIC" && isStranger && holds(`private ${authorId}`, sinceMs)) return "private";
    return undefined;
  }

  return {
    posts,
    alone,
    /** Holds from now on: its change was answered. */
    begins: (...names: string[]) => void names.map((name) => certain.set(name, performance.now())),
    /** May not hold any more: a change that allows is about to be asked for. */
    mayEnd: (...names: string[]) => void names.map((name) => certain.delete(name)),

    /** What a read that began at a moment and is over now showed must not be forbidden. */
    assertPosts(viewer: Person, postIds: readonly string[], beganMs: number, atHome: boolean, where: string): void {
      for (const id of postIds) {
        const why = whyNot(viewer.id, id, beganMs, atHome);
        assert.equal(why, undefined, `${viewer.username} reads ${where} and sees ${id}: ${why}`);
      }
    },

    /** The same for people whose comments, likes or follows are shown. */
    assertPeople(viewer: Person, userIds: readonly string[], beganMs: number, where: string): void {
      for (const id of userIds) {
        const isWrong = id !== viewer.id && (isGone(id, beganMs) || isBarred(viewer.id, id, beganMs));
        assert.ok(!isWrong, `${viewer.username} reads ${where} and meets ${id}`);
      }
    },

    /** Whether a profile must not be found. */
    isHidden: (viewer: Person, id: string, beganMs: number): boolean =>
      id !== viewer.id && (isGone(id, beganMs) || holds(`blocked ${id} ${viewer.id}`, beganMs)),
  };
}

export type Forbidden = ReturnType<typeof openForbidden>;
