import assert from "node:assert/strict";
import { test } from "node:test";
import { type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { FeedItemSchema, ListHomeFeedResponseSchema } from "#gen/skein/feed/v1/feed_pb.ts";
import { descs, message } from "#lib/harness/messages.ts";
import { decode } from "../decode.ts";

/** A message's bytes with something wrong in them. */
function broken(desc: DescMessage): fc.Arbitrary<Uint8Array> {
  const sent = message(desc).map((init) => toBinary(desc, init as never));
  const wrong = fc.constantFrom("cut", "changed", "changed", "changed", "twice", "unknown", "chance");
  return fc
    .tuple(sent, sent, fc.nat(), fc.nat(255), wrong)
    .chain(([bytes, other, at, to, how]): fc.Arbitrary<Uint8Array> => {
      if (how === "chance") return fc.uint8Array({ maxLength: 60 });
      if (how === "cut") return fc.constant(bytes.subarray(0, at % (bytes.length + 1)));
      if (how === "twice") return fc.constant(Buffer.concat([bytes, other]));
      if (how === "unknown") return fc.constant(Buffer.concat([bytes, Buffer.from([0xf8, 0x3f, 0x07])]));
      const changed = Uint8Array.from(bytes);
      if (changed.length > 0) changed[at % changed.length] = to;
      return fc.constant(changed);
    });
}

/** What a reader makes of bytes, or that it makes nothing of them. */
function outcome(read: () => object): unknown {
  try {
    return read();
  } catch {
    return "malformed";
  }
}

test("every message is read as by the library", () => {
  assert.ok(descs.length > 100, String(descs.length));
  for (const desc of descs) {
    const held = (sent: object) => {
      const bytes = toBinary(desc, sent as never);
      assert.deepEqual(decode(desc, bytes), fromBinary(desc, bytes));
    };
    fc.assert(fc.property(message(desc), held), { numRuns: 20 });
  }
});

test("bytes of chance, bytes cut short, fields that come twice and fields unknown here are read as by the library", () => {
  for (const desc of [FeedItemSchema, ListHomeFeedResponseSchema] as DescMessage[]) {
    const held = (bytes: Uint8Array) =>
      assert.deepEqual(
        outcome(() => decode(desc, bytes)),
        outcome(() => fromBinary(desc, bytes)),
      );
    fc.assert(fc.property(broken(desc), held), { numRuns: 3_000 });
  }
});

test("a number that is too long for its field is cut as by the library", () => {
  const reason = Buffer.from([0x30, 0x81, 0x80, 0x80, 0x80, 0x10]);
  assert.deepEqual(decode(FeedItemSchema, reason), fromBinary(FeedItemSchema, reason));
});

test("messages that are read hold nothing together", () => {
  const [first, second] = [decode(FeedItemSchema, new Uint8Array()), decode(FeedItemSchema, new Uint8Array())];
  first.otherReactions.push({ $typeName: "skein.like.v1.ReactionCount", reaction: 1, count: 1n });
  assert.equal(second.otherReactions.length, 0);
});
