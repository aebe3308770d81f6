import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallOptions, HandlerContext } from "@connectrpc/connect";
import { callIn, onBehalfOf, timeLeftMs } from "#lib/mesh/call.ts";
import type { Clients } from "../src/clients.ts";
import { createPieces } from "../src/compose/pieces.ts";

/** Owners that have every post and author, and what they were asked. */
function owners(refuses = false) {
  const asked: { readonly ids: string[]; readonly options: CallOptions }[] = [];
  const note = (ids: string[], options: CallOptions) => {
    asked.push({ ids, options });
    if (refuses) throw new Error("away");
  };
  const post = {
    async batchGetContents({ postIds }: { postIds: string[] }, options: CallOptions) {
      note(postIds, options);
      return { contents: postIds.map((id) => (id === "gone" ? {} : { post: { id, version: 1n, text: id } })) };
    },
  };
  const user = {
    async batchGetAuthors({ userIds }: { userIds: string[] }, options: CallOptions) {
      note(userIds, options);
      return { authors: userIds.map((id) => ({ user: { id, version: 1n, username: id, displayName: "", bio: "" } })) };
    },
  };
  return { asked, pieces: createPieces({ post, user } as unknown as Pick<Clients, "post" | "user">) };
}

const page = (viewerId: string, timeoutMs = 2_000) =>
  ({ values: onBehalfOf(viewerId, "bff", timeoutMs).contextValues }) as HandlerContext;
const refs = (...ids: string[]) => ids.map((id) => ({ id, version: 1n }));
const idsOf = (found: readonly ({ readonly id: string } | undefined)[]) => found.map((piece) => piece?.id);

test("what several pages lack in one turn is one call of nobody's, and each has its own in the order asked", async () => {
  const { asked, pieces } = owners();
  const pages = await Promise.all([
    pieces.posts(refs("a", "b"), page("1")),
    pieces.posts(refs("b", "gone", "c"), page("2")),
    pieces.posts(refs("d"), page("3", 1_500)),
  ]);
  assert.deepEqual(pages.map(idsOf), [["a", "b"], ["b", undefined, "c"], ["d"]]);
  const [all, ...more] = asked;
  assert.deepEqual(all?.ids, ["a", "b", "gone", "c", "d"]);
  const call = callIn(all?.options ?? {});
  assert.equal(call.viewerId, undefined);
  assert.ok(timeLeftMs(call) <= 1_500, "the time of whoever has the least");
  // Somebody else's flight did not bring it, so it is asked for again; what is known is not.
  assert.deepEqual(
    more.map(({ ids }) => ids),
    [],
  );
});

test("a page alone asks as itself, and one in a hurry is not waited for", async () => {
  const { asked, pieces } = owners();
  await pieces.authors(refs("a"), page("1"));
  await Promise.all([pieces.authors(refs("b"), page("2", 500)), pieces.authors(refs("c"), page("3"))]);
  assert.deepEqual(
    asked.map(({ ids, options }) => [ids, callIn(options).viewerId]),
    [
      [["a"], "1"],
      [["b"], "2"],
      [["c"], "3"],
    ],
  );
});

test("more than 500 are asked for by several calls", async () => {
  const { asked, pieces } = owners();
  const pages = Array.from({ length: 12 }, (_, nth) => Array.from({ length: 100 }, (_, at) => `${nth}-${at}`));
  const found = await Promise.all(pages.map((ids, nth) => pieces.authors(refs(...ids), page(String(nth)))));
  assert.deepEqual(found.map(idsOf), pages);
  assert.deepEqual(
    asked.map(({ ids }) => ids.length),
    [500, 500, 200],
  );
});

test("an owner who is away fails every page that asked", async () => {
  const { pieces } = owners(true);
  const asks = [pieces.posts(refs("a"), page("1")), pieces.posts(refs("b"), page("2"))];
  for (const ask of await Promise.allSettled(asks)) assert.equal(ask.status, "rejected");
});
