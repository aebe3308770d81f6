import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { FeedItemSchema, ListHomeFeedResponseSchema } from "#gen/skein/feed/v1/feed_pb.ts";
import { BatchedAnswerSchema, BatchedCallSchema } from "#gen/skein/mesh/v1/batch_pb.ts";
import { CardSchema } from "#gen/skein/post/v1/post_pb.ts";
import { descs, message } from "#lib/harness/messages.ts";
import { encode, written } from "../encode.ts";

test("every message is written as by the library, byte for byte", () => {
  for (const desc of descs) {
    const held = (sent: object) => {
      const bytes = toBinary(desc, sent as never);
      assert.deepEqual(encode(desc, sent as never), Buffer.from(bytes));
    };
    fc.assert(fc.property(message(desc), held), { numRuns: 20 });
  }
});

test("so is what a message is made from: what is left out, what is undefined, a choice", () => {
  const inits: [DescMessage, Record<string, unknown>][] = [
    [FeedItemSchema, {}],
    [
      FeedItemSchema,
      { postId: "1", quoted: { postId: "" }, otherReactions: [{ reaction: 2, count: 3n }], saved: undefined },
    ],
    [ListHomeFeedResponseSchema, { items: [{ postId: "7" }, {}], mutedWordsVersion: 0n }],
    [BatchedCallSchema, { token: "ü".repeat(100), request: Buffer.from("abc"), timeoutMs: 200 }],
    [BatchedAnswerSchema, {}],
    [BatchedAnswerSchema, { result: { case: "response", value: new Uint8Array() }, kept: false }],
    [BatchedAnswerSchema, { result: { case: "response", value: new Uint8Array(100_000).fill(7) }, kept: true }],
    [BatchedAnswerSchema, { result: { case: "late", value: true } }],
    [CardSchema, { authorId: 2n ** 64n - 1n, version: 2n ** 60n, mentionedUserIds: [1n, 2n] }],
  ];
  for (const [desc, init] of inits) {
    const wanted = Buffer.from(toBinary(desc, create(desc, init)));
    assert.deepEqual(encode(desc, init), wanted, JSON.stringify(Object.keys(init)));
  }
});

test("fields that are unknown here are written on", () => {
  const sent = fromBinary(FeedItemSchema, Buffer.from([0xf8, 0x3f, 0x07]));
  assert.deepEqual(encode(FeedItemSchema, sent), Buffer.from([0xf8, 0x3f, 0x07]));
  const page = create(ListHomeFeedResponseSchema, { items: [sent] });
  assert.deepEqual(encode(ListHomeFeedResponseSchema, page), Buffer.from(toBinary(ListHomeFeedResponseSchema, page)));
});

test("a value that no field should have is refused or written as by the library", () => {
  const outcome = (write: () => Uint8Array) => {
    try {
      return Buffer.from(write()).toString("hex");
    } catch {
      return "refused";
    }
  };
  const longs = [-1n, 2n ** 53n, 2n ** 63n, 2n ** 64n, "7", 7, 1.5];
  const numbers = [1.5, -1, 2 ** 31, 2 ** 32, -(2 ** 31), Number.NaN];
  const values = {
    postVersion: longs,
    reason: numbers,
    postId: [7, 1n, true],
    quoted: [{}, undefined],
    otherReactions: [[], [{}]],
  };
  for (const [name, some] of Object.entries(values)) {
    for (const value of some) {
      const init = { [name]: value } as never;
      const wanted = outcome(() => toBinary(FeedItemSchema, create(FeedItemSchema, init)));
      assert.equal(
        outcome(() => encode(FeedItemSchema, init)),
        wanted,
        `${name}: ${String(value)}`,
      );
    }
  }
});

test("messages that are written share nothing, whatever their length", () => {
  const texts = ["a", "b".repeat(300_000), "c".repeat(40), "d".repeat(2_000_000), "e"];
  const written = texts.map((postId) => encode(FeedItemSchema, { postId }));
  assert.deepEqual(
    written.map((bytes) => fromBinary(FeedItemSchema, bytes).postId),
    texts,
  );
});

test("a message that was written once is the same in every page, and a message still", () => {
  const item = create(FeedItemSchema, { postId: "7", likeCount: 3n, otherReactions: [{ reaction: 2, count: 1n }] });
  const bytes = Buffer.from(toBinary(FeedItemSchema, item));
  const kept = written(FeedItemSchema, item);
  for (const items of [[kept], [kept, kept, create(FeedItemSchema, { postId: "8" })]]) {
    const page = create(ListHomeFeedResponseSchema, { items, nextPageToken: "next" });
    assert.deepEqual(encode(ListHomeFeedResponseSchema, page), Buffer.from(toBinary(ListHomeFeedResponseSchema, page)));
  }
  assert.deepEqual(encode(FeedItemSchema, kept), bytes);
});
