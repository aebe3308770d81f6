import assert from "node:assert/strict";
import { test } from "node:test";
import { ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import { Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { Reaction } from "#gen/skein/like/v1/like_pb.ts";
import { readerOf } from "../src/handlers/answer.ts";
import type { Visible } from "../src/read-model/visible.ts";

const numbers = (of: object) => Object.values(of).filter((value): value is number => typeof value === "number");

test("readers to whom something else is said of a post have other numbers", () => {
  const numbersOf = new Set<number>();
  let readers = 0;
  const bools = [false, true];
  for (const authorVersion of [0, 1, 2 ** 32 - 1])
    for (const reason of numbers(Reason))
      for (const viewerReaction of numbers(Reaction))
        for (const replyRefusal of numbers(ReplyRefusal))
          for (const saved of bools)
            for (const reposted of bools) {
              readers++;
              const item = { authorVersion, viewerReaction, replyRefusal, saved, reposted } as Visible;
              numbersOf.add(readerOf(item, reason as Reason));
            }
  assert.equal(numbersOf.size, readers);
});
