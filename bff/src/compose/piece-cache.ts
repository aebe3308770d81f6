import { LRUCache } from "lru-cache";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";

/** What a skeleton says about a piece: which one, and in which version. */
export type Ref = { readonly id: string; readonly version: bigint };
/** Content that never changes for one (id, version). */
export type Piece = { readonly id: string; readonly version: bigint };

/** Asks the owner for many pieces at once: in the order asked, same length, undefined where there is none. */
type Load<P> = (ids: readonly string[]) => Promise<readonly (P | undefined)[]>;

type PieceCache<P> = {
  /** The pieces by id; what is gone is not in the map. A newer version than asked for is as good. */
  get(refs: readonly Ref[], load: Load<P>): Promise<Map<string, P>>;
};

/**
 * Keeps pieces by (id, version), bounded, so that only what is missing is asked for, in one call a page and one flight
 * a piece. Nothing needs invalidating: an edit is a new version, and whether a viewer may see a piece is decided by
 * the skeleton, every time.
 */
export function pieceCache<P extends Piece>(name: string, max: number): PieceCache<P> {
  const counts = cacheCounts(name);
  const kept = new LRUCache<string, P>({ max });
  const flights = new Map<string, Promise<P | undefined>>();

  /** One batch for all of them; each is a flight that others may join meanwhile. */
  const fetch = (refs: readonly Ref[], load: Load<P>): Promise<P | undefined>[] => {
    const batch = load(refs.map(({ id }) => id));
    return refs.map((ref, at) => {
      const key = keyOf(ref);
      const flight = batch
        .then((pieces) => {
          const piece = pieces[at];
          if (piece !== undefined) kept.set(keyOf(piece), piece);
          return piece;
        })
        .finally(() => {
          if (flights.get(key) === flight) flights.delete(key);
        });
      flights.set(key, flight);
      return flight;
    });
  };

  return {
    async get(refs, load) {
      const found = new Map<string, P>();
      const joined: { ref: Ref; flight: Promise<P | undefined> }[] = [];
      const missing: Ref[] = [];
      for (const ref of distinct(refs)) {
        const piece = kept.get(keyOf(ref));
        const flight = flights.get(keyOf(ref));
        if (piece !== undefined) found.set(ref.id, piece);
        else if (flight !== undefined) joined.push({ ref, flight });
        else missing.push(ref);
      }
      counts(found.size, joined.length + missing.length);
      const land = (piece: P | undefined) => piece !== undefined && found.set(piece.id, piece);
      const own = missing.length > 0 ? fetch(missing, load) : [];
      const others = joined.map(({ flight }) => flight.catch(() => undefined));
      for (const piece of await Promise.all([...own, ...others])) land(piece);
      // Somebody else's flight had their deadline and their eyes: what it did not bring is asked for once more, as us.
      const again = joined.filter(({ ref }) => !found.has(ref.id)).map(({ ref }) => ref);
      if (again.length > 0) for (const piece of await Promise.all(fetch(again, load))) land(piece);
      return found;
    },
  };
}

const keyOf = ({ id, version }: Ref): string => `${id}:${version}`;

function distinct(refs: readonly Ref[]): Iterable<Ref> {
  return new Map(refs.map((ref) => [ref.id, ref])).values();
}
