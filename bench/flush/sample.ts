import { setTimeout as sleep } from "node:timers/promises";
import type { Person } from "../../tests/support/person.ts";
import type { Oracle } from "../../tools/oracle.ts";

/** Between two looks. */
const everyMs = 1_000;
const pageSize = 100;

/**
 * Holds one person's whole feed a second against truth, while everybody writes: truth is asked before and after, and what stood
 * at both moments must be shown, what stood at neither must not.
 */
export function sampleFeeds(oracle: Oracle, people: readonly Person[]) {
  const wrong: string[] = [];
  let looks = 0;
  let isStopped = false;

  async function look(person: Person): Promise<void> {
    const viewerId = BigInt(person.id);
    const earlier = await oracle.home(viewerId);
    const shown = await person.feed(pageSize);
    const later = new Set(await oracle.home(viewerId));
    const known = new Set([...earlier, ...later]);
    const is = new Set(shown);
    const missing = earlier.filter((id) => later.has(id) && !is.has(id));
    const extra = shown.filter((id) => !known.has(id));
    const isOrdered = shown.every((id, nth) => nth === 0 || BigInt(id) < BigInt(shown[nth - 1] as string));
    if (missing.length > 0) wrong.push(`${missing.length} missing in the feed of ${person.username}: ${missing[0]}`);
    if (extra.length > 0) wrong.push(`${extra.length} too many in the feed of ${person.username}: ${extra[0]}`);
    if (!isOrdered || is.size < shown.length) wrong.push(`the feed of ${person.username} is out of order`);
    looks++;
  }

  const looking = (async () => {
    for (let nth = 0; !isStopped; nth++) {
      const nextTime = Date.now() + everyMs;
      await look(people[nth % people.length] as Person).catch((reason) => wrong.push(String(reason)));
      await sleep(Math.max(0, nextTime - Date.now()));
    }
  })();

  return {
    looks: () => looks,
    /** What was wrong, a line each. */
    async stop(): Promise<readonly string[]> {
      isStopped = true;
      await looking;
      return wrong;
    },
  };
}
