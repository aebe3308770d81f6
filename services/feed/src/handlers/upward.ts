import { Code } from "@connectrpc/connect";
import { invalid, problem } from "#lib/mesh/errors.ts";
import { parseId } from "#lib/storage/id.ts";
import type { PageTokens } from "#lib/storage/page.ts";

/** A list that is read both ways, and whose its tokens are. */
type List = { readonly scope: string; readonly viewer?: string };
type Asked = { readonly after: string; readonly pageToken: string };

const upwards = (scope: string): string => `${scope} newer`;

/** Pages just above a place of a list: an activity that the client has, or where the page below ended. */
export function upward(pageTokens: PageTokens) {
  return {
    /** The place to read above; undefined where the page is asked downwards. INVALID_ARGUMENT for both ways, and for what is no place. */
    place({ after, pageToken }: Asked, { scope, viewer }: List): bigint | undefined {
      if (after === "") return undefined;
      if (pageToken !== "") throw bothWays();
      const place = parseId(after) ?? pageTokens.open(after, upwards(scope), viewer);
      if (place === undefined) throw invalid("after", "must be an activityId, or the newerPageToken of the page below");
      return place;
    },

    /** Where a page above `after` goes on: below with the place itself, above as long as there is something. */
    tokens: (after: bigint, next: bigint | undefined, { scope, viewer }: List) => ({
      nextPageToken: pageTokens.encode(after + 1n, scope, viewer),
      newerPageToken: next === undefined ? "" : pageTokens.encode(next, upwards(scope), viewer),
    }),
  };
}

const bothWays = () =>
  problem(Code.InvalidArgument, "validation", "a page is above a place or below one", [
    { field: "after", rule: "must not be beside page_token" },
    { field: "page_token", rule: "must not be beside after" },
  ]);
