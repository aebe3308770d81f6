import { mayMeet, type ViewerId } from "./audience.ts";
import { refilled } from "./refilled.ts";
import type { Standings } from "./standing.ts";

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
  return refilled<D, P>({
    before,
    size,
    read,
    async keep(deeds) {
      const known = await standings(deeds.flatMap(({ userId, absent }) => (absent ? [] : (userId ?? []))));
      const isMet = ({ userId, absent }: D) =>
        !absent && (userId === undefined || mayMeet(viewerId, userId, known.get(userId)));
      return deeds.filter(isMet);
    },
  });
}
