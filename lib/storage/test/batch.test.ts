import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { batched, type Wanted } from "../batch.ts";
import { bigintOf, type Db, isDuplicate, type Sql } from "../mysql.ts";

let place: Scratch;
let db: Db;
before(async () => {
  place = scratch(process.env);
  db = await place.openDb("storage");
  await db.exec("CREATE TABLE noted (id BIGINT UNSIGNED NOT NULL PRIMARY KEY)");
});
after(() => place.close());

/** Notes ids in batches, and remembers which were tried together. */
function noting(mustBeWanted: (id: bigint) => void = () => {}) {
  const batches: bigint[][] = [];
  const write = batched({
    what: "notes",
    db,
    async work(tx: Sql, notes: readonly (Wanted & { readonly id: bigint })[]) {
      const ids = notes.map(({ id }) => id);
      batches.push(ids);
      await tx.exec("INSERT INTO noted (id) VALUES ?", [ids.map((id) => [id])]);
      return ids.map((id) => id * 2n);
    },
  });
  const note = (id: bigint) => write({ id, mustBeWanted: () => mustBeWanted(id) });
  return { note, batches };
}

const noted = async (from: bigint, to: bigint) =>
  (await db.query("SELECT id FROM noted WHERE id BETWEEN ? AND ?", [from, to])).map((row) => bigintOf(row.id));

const range = (from: bigint, length: number) => Array.from({ length }, (_, nth) => from + BigInt(nth));

test("what waits at the same time shares a transaction, a hundred at most; who comes alone leaves at once", async () => {
  const { note, batches } = noting();
  assert.equal(await note(1_000n), 2_000n);
  const ids = range(1_001n, 150);
  assert.deepEqual(
    await Promise.all(ids.map(note)),
    ids.map((id) => id * 2n),
    "each hears its own answer",
  );
  const sizes = batches.map(({ length }) => length);
  assert.ok(sizes[0] === 1 && sizes.length <= 4 && Math.max(...sizes) === 100, String(sizes));
  assert.deepEqual(batches.flat(), [1_000n, ...ids], "in the order in which they came");
  assert.equal((await noted(1_000n, 1_150n)).length, 151);
});

test("one that cannot be done harms nobody else, and nothing is done twice", async () => {
  const { note } = noting();
  await note(2_003n);
  const answers = await Promise.allSettled(range(2_000n, 8).map(note));
  const failed = answers.flatMap((one, nth) => (one.status === "rejected" ? [[nth, isDuplicate(one.reason)]] : []));
  assert.deepEqual(failed, [[3, true]]);
  assert.deepEqual(await noted(2_000n, 2_007n), range(2_000n, 8));
});

test("one whose caller left before the commit is not done, and the others of its batch are", async () => {
  let asked = 0;
  const { note } = noting((id) => {
    // Wanted when the batch is put together, and not any more when it is about to be committed.
    if (id === 3_002n && ++asked > 1) throw new ConnectError("gone", Code.Canceled);
  });
  const answers = await Promise.allSettled(range(3_000n, 5).map(note));
  assert.deepEqual(
    answers.map(({ status }) => status === "fulfilled"),
    [true, true, false, true, true],
  );
  assert.deepEqual(await noted(3_000n, 3_004n), [3_000n, 3_001n, 3_003n, 3_004n]);
});

test("a batch that waits for a lock holds up neither those who come later nor the rest of it", async () => {
  const { note, batches } = noting();
  await db.tx(async (tx) => {
    await tx.exec("INSERT INTO noted (id) VALUES (4001)");
    const first = note(4_000n);
    const [locked, beside] = [note(4_001n), note(4_002n)];
    locked.catch(() => {});
    await first;
    await until("the batch is under way", () => batches.length === 2);
    await note(4_003n);
    assert.deepEqual(await noted(4_000n, 4_003n), [4_000n, 4_003n]);
    await beside;
  });
});

test("beyond a thousand that wait one more is refused at once", async () => {
  const { note } = noting();
  const going = range(5_000n, 1_001).map(note);
  await refused(note(6_001n), Code.Unavailable, "overloaded");
  assert.equal((await Promise.all(going)).length, 1_001);
});
