import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Person, register } from "../../tests/support/person.ts";
import { insist, type Operator } from "../../tools/operator.ts";

const authorsMax = 20;
const followersMax = 10;
/** Between two imports. */
const everyMs = 250;

/** People who post so much that the front door is left out: their posts are imported, with facts like any others. */
export async function openCrowd(edge: string, { post }: Operator, perSecond: number) {
  const authors = await many(edge, authorsMax);
  const followers = await many(edge, followersMax);
  for (const author of authors) await Promise.all(followers.map((follower) => follower.follow(author)));
  // A timeline that nobody has read is not there, and costs a fan-out nothing.
  await Promise.all(followers.map((follower) => follower.feedPage(20)));
  let imported = 0;
  let isStopped = false;
  const importing = (async () => {
    const beganTime = Date.now();
    while (!isStopped) {
      const due = Math.floor(((Date.now() - beganTime) * perSecond) / 1_000) - imported;
      const posts = Array.from({ length: Math.min(500, due) }, () => ({
        authorId: (authors[imported++ % authorsMax] as Person).id,
        text: "one of many",
        idempotencyKey: randomUUID(),
      }));
      if (posts.length > 0) await insist((at) => post.importPosts({ posts }, at));
      await sleep(everyMs);
    }
  })();
  return {
    imported: () => imported,
    async stop(): Promise<void> {
      isStopped = true;
      await importing;
    },
  };
}

async function many(edge: string, count: number): Promise<Person[]> {
  const people: Person[] = [];
  while (people.length < count) people.push(await register(edge));
  return people;
}
