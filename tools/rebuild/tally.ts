/** What a rebuild found and did, in numbers that add up over batches. */
export type Tally = {
  /** Owners that have no such key: it is made at its next read. */
  readonly absent: number;
  /** Keys that are what truth says. */
  readonly right: number;
  /** Keys whose second generation took the place of the first. */
  readonly switched: number;
  /** Keys that readers make anew before they believe them: under construction, or of another set of followings. */
  readonly stale: number;
  /** Keys somebody wrote to at every try: they are as they were. */
  readonly busy: number;
  /** Entries, members or values of second generations. */
  readonly entries: number;
  /** Of the first generation, held against the second. */
  readonly missing: number;
  readonly extra: number;
  readonly outOfOrder: number;
  /** Entries that readers hide, and the second generation lacks: of deleted posts, of authors no longer followed. */
  readonly hidden: number;
};

export const nothing: Tally = {
  absent: 0,
  right: 0,
  switched: 0,
  stale: 0,
  busy: 0,
  entries: 0,
  missing: 0,
  extra: 0,
  outOfOrder: 0,
  hidden: 0,
};

export function sum(tallies: readonly Partial<Tally>[]): Tally {
  const total: Record<keyof Tally, number> = { ...nothing };
  for (const tally of tallies) {
    for (const name of Object.keys(nothing) as (keyof Tally)[]) total[name] += tally[name] ?? 0;
  }
  return total;
}

/** Looks before first and second generation are said to differ: what is between commit and read model is no fault. */
export const looksMax = 4;
/** Switches that a key others write to is tried; each try reads it anew. */
export const triesMax = 10;
export const againMs = 50;
