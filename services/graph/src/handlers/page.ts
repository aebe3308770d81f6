import { type PageTokens, pageSizeOf } from "#lib/storage/page.ts";
import type { Edge, ReadEdges } from "../store/follow-lists.ts";

/** Reads of one page: where nearly everyone is hidden it is short, and its token goes on. */
const roundsMax = 5;

type Wanted = {
  readonly tokens: PageTokens;
  /** What its token is bound to. */
  readonly scope: string;
  readonly request: { readonly pageSize: number; readonly pageToken: string };
  readonly read: ReadEdges;
  /** Which of some people are shown. */
  readonly keep: (userIds: readonly bigint[]) => Promise<ReadonlySet<bigint>>;
  /** Edges in one read, where most of them are not shown; the page's size and one where nobody says. */
  readonly readMax?: number;
};

/** A page of people, latest first; refilled where some are hidden. */
export async function peoplePage({ tokens, scope, request, read, keep, readMax }: Wanted) {
  const size = pageSizeOf(request.pageSize);
  const limit = readMax ?? size + 1;
  let last = tokens.decode(request.pageToken, scope);
  const page: Edge[] = [];
  const answer = (more: boolean) => ({
    userIds: page.map(({ userId }) => String(userId)),
    nextPageToken: more && last !== undefined ? tokens.encode(last, scope) : "",
  });
  for (let round = 1; ; round++) {
    const edges = await read(last, limit);
    const kept = await keep(edges.map(({ userId }) => userId));
    for (const edge of edges) {
      if (page.length === size) return answer(true);
      last = edge.edgeId;
      if (kept.has(edge.userId)) page.push(edge);
    }
    if (edges.length < limit) return answer(false);
    if (round === roundsMax) return answer(true);
  }
}
