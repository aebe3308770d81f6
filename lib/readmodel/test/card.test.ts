import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { type Card, decodeCard, decodeShownCard, encodeCard, forEverybody } from "../card.ts";

const ids = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });
const ofOurs = { noNullPrototype: true } as const;
const counts = fc.record(
  { reposts: fc.nat(), quotes: fc.nat(), saves: fc.nat(), version: fc.integer({ min: 1, max: 1_000 }) },
  ofOurs,
);
const plain = { version: 3, authorId: 7n, deleted: false, ...forEverybody };

const someCards: fc.Arbitrary<Card> = fc
  .record({
    version: fc.integer({ min: 1, max: 1_000_000 }),
    authorId: ids,
    mentionedIds: fc.array(ids, { minLength: 1, maxLength: 50 }),
    reposted: fc.record({ postId: ids, authorId: ids }, ofOurs),
    quoted: fc.option(fc.record({ postId: ids, authorId: ids }, ofOurs), { nil: { postId: 0n, authorId: 0n } }),
    shares: fc.option(counts, { nil: undefined }),
    kind: fc.constantFrom("plain", "named", "repost", "quote", "named quote"),
  })
  .map(({ mentionedIds, reposted, quoted, shares, kind, ...card }) => ({
    ...card,
    ...forEverybody,
    deleted: false,
    ...(kind.startsWith("named") && { audience: Audience.MENTIONED, mentionedIds }),
    ...(kind.endsWith("quote") && { quoted }),
    ...(kind === "repost" && { replySetting: ReplySetting.REPOST, reposted }),
    ...(shares && { shares }),
  }));

test("a card is read as it was written, with whom it is for, what it passes on, and how often it is passed on", () => {
  fc.assert(fc.property(someCards, (card) => assert.deepEqual(decodeCard(encodeCard(card)), card)));
});

test("the card of a plain post is 13 bytes, and begins with its version", () => {
  const bytes = encodeCard(plain);
  assert.deepEqual([bytes.length, bytes.readUInt32BE(0)], [13, 3]);
});

test("a release that knows no quotes takes nobody for named in one", () => {
  const people = [5n, 6n];
  const card = { ...plain, audience: Audience.MENTIONED, mentionedIds: people, quoted: { postId: 8n, authorId: 9n } };
  const bytes = encodeCard(card);
  const beyond = [13, 21, 29, 37].map((at) => bytes.readBigUInt64BE(at)).slice(people.length);
  assert.ok(beyond.every((id) => id >= 1n << 63n));
});

test("each edit, fold and delete gives a card that is later than the one before, by its first four bytes", () => {
  const shares = { reposts: 1, quotes: 0, saves: 0, version: 1 };
  const history: Card[] = [
    plain,
    { ...plain, shares },
    { ...plain, version: 4, shares },
    { ...plain, version: 4, shares: { ...shares, reposts: 0, version: 2 } },
    { ...plain, version: 5, shares: { ...shares, reposts: 0, version: 2 }, deleted: true },
    { ...plain, version: 5, shares: { ...shares, reposts: 0, version: 3 }, deleted: true },
  ];
  const revisions = history.map((card) => encodeCard(card).readUInt32BE(0));
  assert.deepEqual(revisions, [3, 4, 5, 6, 7, 8]);
  assert.equal(decodeCard(encodeCard(history[5] as Card)).deleted, true);
});

test("a repost's card that does not say what it passes on is no card to show posts by, unless it is a tombstone", () => {
  const repost = { ...plain, replySetting: ReplySetting.REPOST };
  assert.equal(decodeShownCard(encodeCard(repost)), undefined);
  assert.equal(decodeShownCard(encodeCard({ ...repost, deleted: true }))?.deleted, true);
});
