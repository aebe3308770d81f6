import { LRUCache } from "lru-cache";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";

/** What a skeleton says about a piece: which one, and in which version. */
export type Ref = { readonly id: string; readonly version: bigint };
/** Content that never changes for one (id, version), and what keeping it costs. */
export type Piece = Ref & { readonly sizeBytes: number };

/** Asks the owner for many pieces at once: in the order asked, same length, undefined where there is none. */
type Load<P> = (ids: readonly string[]) => Promise<readonly (P | undefined)[]>;

type PieceCache<P> = {
  /** The pieces in the order asked; undefined for what is gone. A newer version than asked for is as good. */
  get(refs: readonly Ref[], load: Load<P>): Promise<(P | undefined)[]>;
};

/**
 * Keeps the latest version of each piece, in so many bytes, so that only what is missing is asked for, in one call a page and
 * one flight a piece; beyond them the least used go. Nothing needs invalidating: an edit is a new version, and whether a viewer
 * may see a piece is decided by the skeleton, every time.
 */
export function pieceCache<P extends Piece>(name: string, bytesMax: number): PieceCache<P> {
  const counts = cacheCounts(name);
  const kept = new LRUCache<string, P>({ maxSize: bytesMax, sizeCalculation: ({ sizeBytes }) => sizeBytes });
  const flights = new Map<string, Promise<P | undefined>>();

  const keep = (piece: P): void => {
    const known = kept.peek(piece.id);
    if (known === undefined || known.version < piece.version) kept.set(piece.id, piece);
  };

  /** One batch for all of them; each is a flight that others may join meanwhile. */
  const fetch = (refs: readonly Ref[], load: Load<P>): Promise<P | undefined>[] => {
    const batch = load(refs.map(({ id }) => id));
    return refs.map((ref, at) => {
      const key = keyOf(ref);
      const flight = batch
        .then((pieces) => {
          const piece = pieces[at];
          if (piece !== undefined) keep(piece);
          return piece;
        })
        .finally(() => {
          if (flights.get(key) === flight) flights.delete(key);
        });
      flights.set(key, flight);
      return flight;
    });
  };

  /** What is not here, by its own flight or somebody else's. */
  const bring = async (refs: readonly Ref[], load: Load<P>): Promise<ReadonlyMap<string, P>> => {
    const found = new Map<string, P>();
    const land = (piece: P | undefined) => piece !== undefined && found.set(piece.id, piece);
    const joined = refs.filter((ref) => flights.has(keyOf(ref)));
    const others = joined.map((ref) => flights.get(keyOf(ref))?.catch(() => undefined));
    const missing = refs.filter((ref) => !flights.has(keyOf(ref)));
    const own = missing.length > 0 ? fetch(missing, load) : [];
    for (const piece of await Promise.all([...own, ...others])) land(piece);
    // Somebody else's flight had their deadline and their eyes: what it did not bring is asked for once more, as us.
    const again = joined.filter(({ id }) => !found.has(id));
    if (again.length > 0) for (const piece of await Promise.all(fetch(again, load))) land(piece);
    return found;
  };

  return {
    async get(refs, load) {
      const missing: Ref[] = [];
      const found = refs.map((ref) => {
        const piece = kept.get(ref.id);
        if (piece !== undefined && piece.version >= ref.version) return piece;
        missing.push(ref);
        return undefined;
      });
      counts(refs.length - missing.length, missing.length);
      if (missing.length === 0) return found;
      const brought = await bring(distinct(missing), load);
      return found.map((piece, nth) => piece ?? brought.get((refs[nth] as Ref).id));
    },
  };
}

const keyOf = ({ id, version }: Ref): string => `${id}:${version}`;

const distinct = (refs: readonly Ref[]): Ref[] => [...new Map(refs.map((ref) => [ref.id, ref])).values()];
