import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Piece, pieceCache, type Ref } from "../src/compose/piece-cache.ts";

const ref = (id: string, version = 1n): Ref => ({ id, version });
const sizeBytes = 100;
/** Room for as many pieces. */
const cacheOf = (pieces: number) => pieceCache<Piece>("test", pieces * sizeBytes);
const idsOf = (pieces: readonly (Piece | undefined)[]) => pieces.map((piece) => piece?.id);

/** An owner of pieces that says what it was asked. */
function owner(versions: Record<string, bigint>) {
  const asked: string[][] = [];
  const load = async (ids: readonly string[]) => {
    asked.push([...ids]);
    await new Promise((done) => setImmediate(done));
    return ids.map((id): Piece | undefined =>
      id in versions ? { id, version: versions[id] ?? 0n, sizeBytes } : undefined,
    );
  };
  return { asked, load, versions };
}

test("only what is missing is asked for, once for a page", async () => {
  const { asked, load } = owner({ a: 1n, b: 1n, c: 1n });
  const cache = cacheOf(10);
  await cache.get([ref("a"), ref("b"), ref("a")], load);
  const found = await cache.get([ref("a"), ref("b"), ref("c")], load);
  assert.deepEqual(idsOf(found), ["a", "b", "c"]);
  assert.deepEqual(asked, [["a", "b"], ["c"]]);
});

test("an edit is a new version, and a newer one than asked for is shown", async () => {
  const { asked, load, versions } = owner({ a: 1n });
  const cache = cacheOf(10);
  await cache.get([ref("a", 1n)], load);
  versions.a = 3n;
  assert.equal((await cache.get([ref("a", 2n)], load))[0]?.version, 3n);
  assert.equal((await cache.get([ref("a", 3n)], load))[0]?.version, 3n);
  assert.equal(asked.length, 2);
});

test("what is kept has a limit in bytes: what was used least goes, and an older version never takes a newer one's place", async () => {
  const { asked, load, versions } = owner({ a: 1n, b: 1n, c: 1n });
  const cache = cacheOf(2);
  for (const id of ["a", "b", "a", "c", "a", "b"]) await cache.get([ref(id)], load);
  assert.deepEqual(asked, [["a"], ["b"], ["c"], ["b"]]);
  versions.b = 3n;
  await cache.get([ref("b", 3n)], load);
  versions.b = 2n;
  await cache.get([ref("b", 4n)], load);
  assert.equal((await cache.get([ref("b", 3n)], load))[0]?.version, 3n);
});

test("what is gone is left out, and asked for again: its absence is nobody's version", async () => {
  const { asked, load } = owner({});
  const cache = cacheOf(10);
  assert.deepEqual(await cache.get([ref("a")], load), [undefined]);
  await cache.get([ref("a")], load);
  assert.equal(asked.length, 2);
});

test("many readers of one piece share a flight", async () => {
  const { asked, load } = owner({ a: 1n });
  const cache = cacheOf(10);
  const pages = await Promise.all(Array.from({ length: 50 }, () => cache.get([ref("a")], load)));
  assert.equal(asked.length, 1);
  assert.ok(pages.every(([piece]) => piece?.id === "a"));
});

test("a flight that fails, or finds nothing for its own viewer, is not the fate of those who joined it", async () => {
  const { asked, load } = owner({ a: 1n });
  for (const first of [async () => Promise.reject(new Error("deadline")), async () => [undefined]]) {
    const cache = cacheOf(10);
    asked.length = 0;
    const failing = cache.get([ref("a")], first).catch((reason: Error) => reason.message);
    const joined = cache.get([ref("a")], load);
    assert.deepEqual(idsOf(await joined), ["a"]);
    assert.equal(asked.length, 1);
    await failing;
  }
});

test("a failure is the asker's to see, and leaves no trace", async () => {
  const { load } = owner({ a: 1n });
  const cache = cacheOf(10);
  await assert.rejects(
    cache.get([ref("a"), ref("b")], () => Promise.reject(new Error("down"))),
    /down/,
  );
  assert.deepEqual(idsOf(await cache.get([ref("a")], load)), ["a"]);
});

test("any interleaving of reads and edits shows what the owner has, or the version the skeleton named", async () => {
  const reads = fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 5 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(reads, fc.integer({ min: 1, max: 5 }), async (pages, max) => {
      const versions: Record<string, bigint> = Object.fromEntries([0, 1, 2, 3, 4, 5, 6].map((id) => [id, 1n]));
      const { load } = owner(versions);
      const cache = cacheOf(max);
      await Promise.all(
        pages.map(async (ids, turn) => {
          const refs = ids.map((id) => ref(String(id), versions[id] ?? 1n));
          if (turn % 3 === 2) versions[turn % 7] = BigInt(turn + 2);
          const found = await cache.get(refs, load);
          for (const [nth, { id, version }] of refs.entries()) {
            assert.equal(found[nth]?.id, Number(id) <= 6 ? id : undefined);
            assert.ok((found[nth]?.version ?? version) >= version);
          }
        }),
      );
    }),
  );
});
