import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FeedItemSchema, ListHomeFeedResponseSchema, Reason } from "#gen/skein/feed/v1/feed_pb.ts";
import { decode, share } from "../decode.ts";

const itemsMax = 3;
share(FeedItemSchema, itemsMax);

const pageOf = (...ids: string[]) =>
  toBinary(
    ListHomeFeedResponseSchema,
    create(ListHomeFeedResponseSchema, { items: ids.map((postId) => ({ postId, reason: Reason.FOLLOWING })) }),
  );

test("who reads the same bytes gets the same message, as the library reads it, and cannot change it", () => {
  const [one, other] = [pageOf("1", "2", "1"), pageOf("2", "1")];
  const [first, second] = [decode(ListHomeFeedResponseSchema, one), decode(ListHomeFeedResponseSchema, other)];
  assert.deepEqual(first, fromBinary(ListHomeFeedResponseSchema, one));
  assert.deepEqual(second, fromBinary(ListHomeFeedResponseSchema, other));
  assert.equal(first.items[0], first.items[2]);
  assert.equal(first.items[0], second.items[1]);
  assert.throws(() => Object.assign(first.items[0] as object, { postId: "3" }), TypeError);
  assert.notEqual(first, decode(ListHomeFeedResponseSchema, one), "what holds them is each reader's own");
});

test("beyond so many all begin anew", () => {
  const [before] = decode(ListHomeFeedResponseSchema, pageOf("10")).items;
  assert.equal(decode(ListHomeFeedResponseSchema, pageOf("10")).items[0], before);
  decode(ListHomeFeedResponseSchema, pageOf("11", "12", "13"));
  const [after] = decode(ListHomeFeedResponseSchema, pageOf("10")).items;
  assert.notEqual(after, before);
  assert.deepEqual(after, before);
});

test("what was read already is not shared later: some would have one of their own", () => {
  assert.throws(() => share(FeedItemSchema, itemsMax), /FeedItem was read already/);
});
