import { type Random, randomOf } from "./random.ts";

/** In a network of this size and above people follow as many as they would in a large one. */
const grownUsers = 600;
/** How many people a person follows: most of them, the few that hardly follow, and the few that follow anybody. */
const usual = { min: 100, max: 200 };
const light = { share: 0.1, min: 5, max: 100 };
const heavy = { share: 0.06, min: 200, max: 400 };
/** Popularity falls with the rank to this power (Zipf); the shift keeps the first from being everybody's. */
const zipfPower = 0.9;
const zipfShift = 8;
/** Of what somebody follows, this share is people near them: circles of friends, and follows that are returned. */
const nearShare = 0.3;
const nearMax = 120;
/** Draws per place before a list is left shorter: in tiny networks nobody new is left. */
const drawsMax = 30;

/**
 * Who follows whom among `users` people. Each one's list depends on the seed, their number and the network's size only.
 * Following is even, being followed has a long tail (preferential attachment, as a fixed Zipf law of fame).
 */
export function networkOf(seed: number, users: number) {
  const fame = fameOf(seed, users);

  /** How many a person wants to follow: fewer where there are few. */
  function wanted(random: Random): number {
    const chance = random.next();
    const { min, max } = chance < light.share ? light : chance < light.share + heavy.share ? heavy : usual;
    const grown = min + random.next() * (max - min);
    const count = grown * Math.min(1, users / grownUsers);
    return Math.min(users - 1, Math.max(1, Math.round(count)));
  }

  return {
    /** Whom a person follows, in the order they found them. */
    followsOf(nth: number): number[] {
      if (users < 2) return [];
      const random = randomOf("follows", seed, nth);
      const count = wanted(random);
      const found = new Set<number>();
      const near = Math.min(nearMax, Math.ceil(users / 10));
      for (let draws = count * drawsMax; found.size < count && draws > 0; draws--) {
        const isNear = random.next() < nearShare;
        const whom = isNear ? (nth + users + random.below(2 * near + 1) - near) % users : fame.draw(random.next());
        if (whom !== nth) found.add(whom);
      }
      return [...found];
    },
  };
}

/** Who is how famous: a rank of chance for each, and the sums of their weights to draw from. */
function fameOf(seed: number, users: number) {
  const random = randomOf("fame", seed, users);
  const byRank = Uint32Array.from({ length: users }, (_, nth) => nth);
  for (let last = users - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [byRank[last], byRank[other]] = [byRank[other] ?? 0, byRank[last] ?? 0];
  }
  const sums = new Float64Array(users);
  let sum = 0;
  for (let rank = 0; rank < users; rank++) sums[rank] = sum += (rank + zipfShift) ** -zipfPower;

  return {
    draw(chance: number): number {
      const point = chance * sum;
      let [low, high] = [0, users - 1];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((sums[middle] ?? 0) <= point) low = middle + 1;
        else high = middle;
      }
      return byRank[low] ?? 0;
    },
  };
}
