/** Bytes that are not what they seem, by chance: each from a good file, or from none. */
export function malformed(seed: number, good: readonly Buffer[]): () => Buffer {
  const random = randomFrom(seed);
  const pick = () => good[random.below(good.length)] as Buffer;
  const ways: readonly (() => Buffer)[] = [
    () => bytesBy(random, random.below(4_000)),
    () => pick().subarray(0, random.below(pick().length)),
    () => flipped(random, pick(), 1 + random.below(8)),
    () => flipped(random, pick(), 1 + random.below(200)),
    () => flipped(random, pick(), 1 + random.below(4), 64),
    () => Buffer.concat([pick().subarray(0, random.below(200)), pick()]),
    () => Buffer.concat([pick(), pick().subarray(random.below(100))]),
    () => Buffer.concat([pick().subarray(0, 16 + random.below(48)), bytesBy(random, random.below(3_000))]),
    () => holed(random, pick()),
  ];
  return () => (ways[random.below(ways.length)] as () => Buffer)();
}

function bytesBy({ below }: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = below(256);
  return bytes;
}

/** Some bytes of the first `within` are others. */
function flipped({ below }: Random, bytes: Buffer, count: number, within = bytes.length): Buffer {
  const copy = Buffer.from(bytes);
  for (let nth = 0; nth < count; nth++) copy[below(Math.min(within, copy.length))] = below(256);
  return copy;
}

/** A piece is missing, or there twice. */
function holed({ below, next }: Random, bytes: Buffer): Buffer {
  const [a, b] = [below(bytes.length), below(bytes.length)].sort((x, y) => x - y) as [number, number];
  return next() < 0.5
    ? Buffer.concat([bytes.subarray(0, a), bytes.subarray(b)])
    : Buffer.concat([bytes.subarray(0, b), bytes.subarray(a)]);
}

type Random = { next(): number; below(max: number): number };

/** mulberry32: the same seed, the same files. */
function randomFrom(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { next, below: (max) => Math.floor(next() * max) };
}
