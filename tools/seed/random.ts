/** Chance that comes out the same each time. */
export type Random = {
  /** 0 ≤ x < 1. */
  next(): number;
  /** A whole number, 0 ≤ n < max. */
  below(max: number): number;
  pick<T>(of: readonly [T, ...T[]]): T;
};

/**
 * A stream of chance for one purpose: the same for the same names. Each person's is their own, so that neither the size
 * of the network nor the order of the work changes what somebody is. sfc32 (PractRand), seeded by hashing the names.
 */
export function randomOf(...names: readonly (string | number)[]): Random {
  let [a, b, c, counter] = [hashOf(names.join("/"), 1), hashOf(names.join("/"), 2), hashOf(names.join("/"), 3), 1];
  const next = (): number => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  };
  for (let warmUp = 0; warmUp < 12; warmUp++) next();
  const below = (max: number) => Math.floor(next() * max);
  return { next, below, pick: (of) => of[below(of.length)] ?? of[0] };
}

/** FNV-1a with another beginning for each of the three words. */
function hashOf(text: string, nth: number): number {
  let hash = Math.imul(0x811c9dc5, nth) | 0;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}
