import { mayMeet, type ViewerId } from "./audience.ts";
import type { Standings } from "./standing.ts";

/** Read beyond the page, so that a few who are left out do not cost another round. */
const slack = 8;
/** Rounds that refill a page from which many were left out; then it is answered short, and goes on. */
const roundsMax = 5;

/**
 * What somebody did: by whom, and its place in the list. What is nobody's any more is met by everybody; what is absent holds its
 * place and is met by nobody.
 */
type Deed<P> = { readonly userId: bigint | undefined; readonly place: P; readonly absent?: boolean };

/**
 * A page of a list of what people did, without those whom the viewer may not meet: in the order of the list, refilled within a
 * bound. `next` is the place to go on below; undefined at the end.
 */
export async function metPage<D extends Deed<P>, P = bigint>({
  viewerId,
  before,
  size,
  read,
  standings,
}: {
  readonly viewerId: ViewerId;
  readonly before: P | undefined;
  readonly size: number;
  readonly read: (before: P | undefined, limit: number) => Promise<readonly D[]>;
  readonly standings: (userIds: readonly bigint[]) => Promise<Standings>;
}): Promise<{ readonly page: readonly D[]; readonly next: P | undefined }> {
  const met: D[] = [];
  let from = before;
  for (let round = 0; round < roundsMax; round++) {
    const limit = size - met.length + slack;
    const deeds = await read(from, limit);
    const known = await standings(deeds.flatMap(({ userId, absent }) => (absent ? [] : (userId ?? []))));
    const isMet = ({ userId, absent }: D) =>
      !absent && (userId === undefined || mayMeet(viewerId, userId, known.get(userId)));
    met.push(...deeds.filter(isMet));
    if (met.length > size) return { page: met.slice(0, size), next: met[size - 1]?.place };
    if (deeds.length < limit) return { page: met, next: undefined };
    from = deeds.at(-1)?.place;
  }
  return { page: met, next: from };
}
