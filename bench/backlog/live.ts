import { setTimeout as sleep } from "node:timers/promises";
import { type Person, register } from "../../tests/support/person.ts";

/** How soon live posts were seen, in milliseconds, and how many were not there when they were looked for. */
export type Lag = {
  readonly posts: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Reads, begun 5 to 20 s after a post's answer, that did not show it. */
  readonly missing: number;
};

const authorsMax = 4;
const followersMax = 8;
/** Of the newest posts a page shows so many: those of the last 20 s at 4 a second. */
const pageSize = 100;
const lookAgainMs = 5;
/** A post that is not seen for so long counts as seen then. */
const seenMsMax = 60_000;
const againMs = { from: 5_000, to: 20_000 } as const;

/** A few people who post through the front door, and followers who look for each post. */
export async function openLive(edge: string, perSecond: number) {
  const authors = await many(edge, authorsMax);
  const followers = await many(edge, followersMax);
  for (const author of authors) await Promise.all(followers.map((follower) => follower.follow(author)));
  const underWay = new Set<Promise<void>>();
  let lags: number[] = [];
  let missing = 0;
  let isStopped = false;

  async function one(nth: number): Promise<void> {
    const follower = followers[nth % followersMax] as Person;
    const { id } = await (authors[nth % authorsMax] as Person).post(`live ${nth}`);
    const answeredTime = performance.now();
    while (!(await shows(follower, id)) && performance.now() - answeredTime < seenMsMax) await sleep(lookAgainMs);
    lags.push(performance.now() - answeredTime);
    await sleep(againMs.from + ((nth * 7_919) % (againMs.to - againMs.from)));
    if (!isStopped && !(await shows(follower, id))) missing++;
  }

  const posting = (async () => {
    const beganTime = Date.now();
    for (let nth = 0; !isStopped; nth++) {
      await sleep(Math.max(0, beganTime + (nth * 1_000) / perSecond - Date.now()));
      const doing: Promise<void> = one(nth).finally(() => underWay.delete(doing));
      underWay.add(doing);
    }
  })();

  return {
    /** What was seen since the last time this was asked. */
    since(): Lag {
      const sorted = lags.toSorted((a, b) => a - b);
      const at = (share: number) =>
        Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
      const told = { posts: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), missing };
      lags = [];
      missing = 0;
      return told;
    },
    async stop(): Promise<void> {
      isStopped = true;
      await posting;
      await Promise.allSettled(underWay);
    },
  };
}

async function shows(follower: Person, id: string): Promise<boolean> {
  const { items } = await follower.feedPage(pageSize);
  return items.some(({ activityId }) => activityId === id);
}

async function many(edge: string, count: number): Promise<Person[]> {
  const people: Person[] = [];
  while (people.length < count) people.push(await register(edge));
  return people;
}
