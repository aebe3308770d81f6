/** Read beyond the page, so that a few who are left out do not cost another round. */
const slack = 8;
/** Rounds that refill a page from which many were left out; then it is answered short, and goes on. */
const roundsMax = 5;

/**
 * A page of a list without what its reader may not see: in the order of the list, refilled within a bound. `next` is the place to
 * go on below; undefined at the end.
 */
export async function refilled<D extends { readonly place: P }, P = bigint>({
  before,
  size,
  read,
  keep,
}: {
  readonly before: P | undefined;
  readonly size: number;
  readonly read: (before: P | undefined, limit: number) => Promise<readonly D[]>;
  /** Those that the reader may see. */
  readonly keep: (found: readonly D[]) => Promise<readonly D[]>;
}): Promise<{ readonly page: readonly D[]; readonly next: P | undefined }> {
  const kept: D[] = [];
  let from = before;
  for (let round = 0; round < roundsMax; round++) {
    const limit = size - kept.length + slack;
    const found = await read(from, limit);
    kept.push(...(await keep(found)));
    if (kept.length > size) return { page: kept.slice(0, size), next: kept[size - 1]?.place };
    if (found.length < limit) return { page: kept, next: undefined };
    from = found.at(-1)?.place;
  }
  return { page: kept, next: from };
}
