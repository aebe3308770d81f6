import type { Finding } from "./truth.ts";

/** Looks under way at once. */
const atOnce = 8;

/** What a look came to: right for good, right for now, or a finding. */
export type Seen = "right" | "for now" | Finding;

/** Looks at each of some things until it was seen to be right for good, once; answers what is wrong with the others. */
export function onceRight<T extends { readonly id: string }>(look: (one: T) => Promise<Seen>) {
  const right = new Set<string>();
  return async (all: readonly T[]): Promise<Finding[]> => {
    const found: Finding[] = [];
    const left = all.filter(({ id }) => !right.has(id));
    for (let at = 0; at < left.length; at += atOnce) {
      const some = left.slice(at, at + atOnce);
      for (const [nth, seen] of (await Promise.all(some.map(look))).entries()) {
        if (seen === "right") right.add(some[nth]?.id ?? "");
        else if (seen !== "for now") found.push(seen);
      }
    }
    return found;
  };
}
