import type { CallOptions } from "@connectrpc/connect";
import { afterOf } from "#lib/mesh/call.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { authorCandidates, authorsAbove } from "./read-model/author.ts";
import { aboveAll, type Candidates, homeCandidates, nearestByTruth, newerThan, olderThan } from "./read-model/home.ts";
import { listPages } from "./read-model/listed.ts";
import type { Look } from "./read-model/look.ts";
import { fill, type Page, type Part, paging, proposed, type Way } from "./read-model/pages.ts";
import type { Truth } from "./read-model/truth.ts";

/** Pages of timelines, as their viewer may see them now. */
export type Timelines = ReturnType<typeof feedReadModel>;

export function feedReadModel({ redis, truth, look }: { redis: Redis; truth: Truth; look: Look }) {
  const { below: homeOf, above: newerOf } = homeCandidates({ redis, truth, look });
  const authorOf = authorCandidates({ redis, truth });
  const pages = paging({ redis, truth, look });
  const { either, deciding } = pages;

  return {
    ...listPages({ ...pages, redis, truth }),

    home(viewerId: bigint, before: bigint | undefined, size: number, options: CallOptions): Promise<Page> {
      const { usual, byTruth } = deciding({ viewerId, atHome: true }, options);
      const propose: Way["propose"] = (from, count) => homeOf(viewerId, from, count, options);
      const older: Way["propose"] = async (from = aboveAll, count) =>
        proposed(await olderThan(truth, viewerId, from, count, options), count);
      return either(
        { what: "home", page: `${viewerId} ${before} ${size}`, after: afterOf(options) },
        () => fill({ propose, decide: usual }, before, size),
        () => fill({ propose: older, decide: byTruth }, before, size),
      );
    },

    /** What is just above a place of the same feed; `next` goes on above. */
    newer(viewerId: bigint, after: bigint, size: number, options: CallOptions): Promise<Page> {
      const { usual, byTruth } = deciding({ viewerId, atHome: true }, options);
      const propose: Way["propose"] = (from = after, count) => newerOf(viewerId, from, count, options);
      const proposeByTruth: Way["propose"] = (from = after, count) => newerThan(truth, viewerId, from, count, options);
      return either(
        { what: "home", page: `${viewerId} above ${after} ${size}`, after: afterOf(options) },
        () => fill({ propose, decide: usual, upwards: true }, after, size),
        () => fill({ propose: proposeByTruth, decide: byTruth, upwards: true }, after, size),
      );
    },

    author(
      authorId: bigint,
      viewerId: bigint | undefined,
      before: bigint | undefined,
      size: number,
      options: CallOptions,
    ): Promise<Page> {
      const { usual, byTruth } = deciding({ viewerId, atHome: false }, options);
      const propose: Way["propose"] = (from, count) => authorOf(authorId, from, count, options);
      const older: Way["propose"] = async (from = aboveAll, count) => {
        const [list] = await truth.activities([authorId], from, count, options);
        return proposed(
          (list?.ids ?? []).map((activityId) => ({ activityId, authorId })),
          count,
        );
      };
      return either(
        { what: "author", page: `${authorId} ${viewerId} ${before} ${size}`, after: afterOf(options) },
        () => fill({ propose, decide: usual }, before, size),
        () => fill({ propose: older, decide: byTruth }, before, size),
      );
    },

    /** The post an author pinned, alone on its page, where the viewer may see it. */
    async pinned(authorId: bigint, viewerId: bigint | undefined, options: CallOptions): Promise<Page> {
      const entries = await truth.pinned(authorId, options);
      const { usual, byTruth } = deciding({ viewerId, atHome: false }, options);
      const pageBy = async (decide: Way["decide"]): Promise<Part> => ({
        ...(await decide(entries, performance.now())),
        next: undefined,
      });
      return either(
        { what: "pinned", page: `${authorId} ${viewerId}`, after: afterOf(options) },
        () => pageBy(usual),
        () => pageBy(byTruth),
      );
    },

    /** What is just above a place of an author's page; `next` goes on above. */
    authorNewer(
      authorId: bigint,
      viewerId: bigint | undefined,
      after: bigint,
      size: number,
      options: CallOptions,
    ): Promise<Page> {
      const { usual, byTruth } = deciding({ viewerId, atHome: false }, options);
      const propose: Way["propose"] = async (from = after, count) => {
        const [found] = await authorsAbove({ redis, truth }, [authorId], from, count, options);
        return found as Candidates;
      };
      const proposeByTruth: Way["propose"] = (from = after, count) =>
        nearestByTruth(truth, [authorId], from, count, options);
      return either(
        { what: "author", page: `${authorId} ${viewerId} above ${after} ${size}`, after: afterOf(options) },
        () => fill({ propose, decide: usual, upwards: true }, after, size),
        () => fill({ propose: proposeByTruth, decide: byTruth, upwards: true }, after, size),
      );
    },
  };
}
