import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { CommentCountsChangedSchema } from "#gen/skein/comment/v1/events_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import {
  allTold,
  countInRedis,
  countsOf,
  create,
  created,
  factsOf,
  newPost,
  remove,
  rows,
  somebody,
  system,
} from "./world.ts";

/** The row of a post's count. */
async function countStored(postId: string): Promise<{ version: number; value: number }> {
  const [row] = await rows("SELECT comment_count, version FROM comment_count WHERE post_id = ?", postId);
  return { version: Number(row?.version), value: Number(row?.comment_count) };
}

test("counts are exact after creates and deletes at once, in truth, in Redis and in the facts", {
  timeout: 120_000,
}, async () => {
  const host = somebody();
  const posts = [await newPost(host), await newPost(host)];
  const people = Array.from({ length: 16 }, somebody);
  const turns = people.map(async (author, nth) => {
    for (let turn = 0; turn < 12; turn++) {
      const postId = posts[(nth + turn) % posts.length] as string;
      const said = { postId, author, key: `${author}-${turn}` };
      const [one] = await Promise.all([created(said), create(said)]);
      // Every third is removed by both at once, and every ninth key comes again after that.
      if (turn % 3 !== 0) continue;
      await Promise.all([remove(one.id, author), remove(one.id, host)]);
      if (turn % 9 === 0) await create(said);
    }
  });
  await Promise.all(turns);
  await allTold();
  for (const postId of posts) {
    const [row] = await rows("SELECT COUNT(*) AS n FROM comment WHERE post_id = ? AND deleted = 0", postId);
    assert.equal(Number(row?.n), 64);
    const stored = await countStored(postId);
    assert.equal(stored.value, 64);
    assert.deepEqual(await countInRedis(postId), stored);
    const facts = (await factsOf(`comments:${postId}`)).map(({ payload }) =>
      fromBinary(CommentCountsChangedSchema, payload),
    );
    assert.deepEqual(
      facts.map(({ version }) => Number(version)),
      facts.map((_, nth) => nth + 1),
    );
    assert.deepEqual([facts.length, Number(facts.at(-1)?.count)], [stored.version, 64]);
  }
  assert.deepEqual(await countsOf(posts), [64, 64]);
});

test("the count follows each change once the relay is done, down to 0", async () => {
  const [postId, author] = [await newPost(), somebody()];
  const { id } = await created({ postId, author });
  await allTold();
  assert.deepEqual(await countInRedis(postId), { version: 1, value: 1 });
  for (const _ of ["once", "again"]) {
    await remove(id, author);
    await allTold();
    assert.deepEqual(await countInRedis(postId), { version: 2, value: 0 });
  }
});

test("BatchGetCommentCounts answers in the order asked and leaves counts in Redis, of unknown posts 0; 100 at most", async () => {
  const [said, bare, unknown] = [await newPost(), await newPost(), somebody()];
  await create({ postId: said });
  await allTold();
  await system.flush();
  assert.deepEqual(await countsOf([bare, said, "abc", unknown, said, ""]), [0, 1, 0, 0, 1, 0]);
  assert.deepEqual(await countInRedis(said), { version: 1, value: 1 });
  assert.deepEqual(await countInRedis(bare), { version: 0, value: 0 });
  for (const id of [unknown, "0"]) assert.equal(await countInRedis(id), undefined, "what is no post is not remembered");
  await create({ postId: bare });
  await allTold();
  assert.deepEqual(await countInRedis(bare), { version: 1, value: 1 }, "a 0 that was remembered gives way");
  const many = (of: number) => countsOf(Array.from({ length: of }, () => said));
  assert.equal((await many(100)).length, 100);
  assert.equal((await many(0)).length, 0);
  await refused(many(101), Code.InvalidArgument, "validation", "post_ids");
});
