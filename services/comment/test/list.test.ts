import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { eachPage } from "#lib/harness/pages.ts";
import { refused } from "#lib/harness/refused.ts";
import { create, created, list, newPost, remove, somebody } from "./world.ts";

const idsOf = ({ comments }: Awaited<ReturnType<typeof list>>) => comments.map(({ id }) => id);

/** Comments of a post, one after another: their ids, latest first. */
async function thread(postId: string, length: number, author?: string): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < length) ids.unshift((await created({ postId, ...(author && { author }) })).id);
  return ids;
}

test("ListComments is latest first, in pages that neither skip nor repeat under inserts and deletes", async () => {
  const [postId, author] = [await newPost(), somebody()];
  const elsewhere = await newPost();
  await thread(elsewhere, 2);
  const latest = await thread(postId, 9, author);
  const pages = async (size: number) => (await eachPage((page) => list(postId, page), size)).map(idsOf);
  assert.deepEqual(await pages(4), [latest.slice(0, 4), latest.slice(4, 8), latest.slice(8)]);
  assert.deepEqual(await pages(9), [latest], "a page that ends the list has no token");

  const first = await list(postId, { pageSize: 3 });
  const late = await created({ postId });
  // The one the token names, one above it and one below it.
  for (const nth of [2, 1, 4]) await remove(latest[nth] as string, author);
  const second = await list(postId, { pageSize: 3, pageToken: first.nextPageToken });
  assert.deepEqual(idsOf(second), [latest[3], latest[5], latest[6]]);
  assert.deepEqual(idsOf(await list(postId, { pageSize: 3, pageToken: second.nextPageToken })), latest.slice(7));
  const standing = [late.id, ...latest.filter((_, nth) => ![1, 2, 4].includes(nth))];
  assert.deepEqual((await pages(2)).flat(), standing);
});

test("walking a list while others write under it finds everything that stood before and stands after", {
  timeout: 60_000,
}, async () => {
  const [postId, author] = [await newPost(), somebody()];
  const latest = await thread(postId, 24, author);
  const removed = latest.filter((_, nth) => nth % 3 === 1);
  const writing = (async () => {
    for (const id of removed) {
      await remove(id, author);
      await create({ postId });
    }
  })();
  const found = (await eachPage((page) => list(postId, page), 2)).flatMap(idsOf);
  await writing;
  assert.equal(new Set(found).size, found.length, "nothing twice");
  const stood = new Set(latest);
  const gone = new Set(removed);
  assert.deepEqual(
    found.filter((id) => stood.has(id) && !gone.has(id)),
    latest.filter((id) => !gone.has(id)),
  );
});

test("a page has 20 comments where nobody says, 100 at most, and its token is bound to its list", async () => {
  const [postId, other] = [await newPost(), await newPost()];
  for (let nth = 0; nth < 15; nth++) await Promise.all(Array.from({ length: 8 }, () => create({ postId })));
  assert.equal((await list(postId)).comments.length, 20);
  const { comments, nextPageToken: pageToken } = await list(postId, { pageSize: 100 });
  const rest = await list(postId, { pageSize: 100, pageToken });
  assert.equal(new Set([...comments, ...rest.comments].map(({ id }) => id)).size, 120);
  assert.equal(rest.nextPageToken, "");
  for (const pageSize of [101, -1])
    await refused(list(postId, { pageSize }), Code.InvalidArgument, "validation", "page_size");
  const forged = [pageToken.replace(/^./, "B"), `${pageToken}A`, pageToken.slice(1), "x", "AA=="];
  for (const token of forged)
    await refused(list(postId, { pageToken: token }), Code.InvalidArgument, "invalid-cursor", "page_token");
  await refused(list(other, { pageToken }), Code.InvalidArgument, "invalid-cursor", "page_token");
});
