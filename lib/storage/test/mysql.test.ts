import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import type { Db } from "../mysql.ts";

let place: Scratch;
let db: Db;
before(async () => {
  place = scratch(process.env);
  db = await place.openDb("storage");
});
after(() => place.close());

const codeOf = (running: Promise<unknown>): Promise<Code | undefined> =>
  running.then(
    () => undefined,
    (reason) => ConnectError.from(reason).code,
  );

test("statements that hang are given up with their connections; who waits for one is refused, not kept; what runs by itself goes on", {
  timeout: 20_000,
}, async () => {
  const hanging = Array.from({ length: 10 }, () => codeOf(db.query("SELECT SLEEP(6)")));
  const refused = codeOf(db.query("SELECT 1"));
  await db.background.query("SELECT 1");
  assert.equal(await refused, Code.Unavailable);
  assert.deepEqual(new Set(await Promise.all(hanging)), new Set([Code.DeadlineExceeded]));
  assert.equal(await codeOf(db.query("SELECT 1")), undefined, "new connections take their place");
  assert.equal(await codeOf(db.tx((tx) => tx.query("SELECT SLEEP(6)"))), Code.DeadlineExceeded);
});

test("a transaction that loses every race for a lock is ABORTED", { timeout: 20_000 }, async () => {
  await db.exec("INSERT INTO relay (shard) VALUES (1)");
  await db.tx(async (tx) => {
    await tx.query("SELECT 1 FROM relay WHERE shard = 1 FOR UPDATE");
    let other: Code | undefined;
    const waiting = codeOf(db.tx((rival) => rival.query("SELECT 1 FROM relay WHERE shard = 1 FOR UPDATE")));
    void waiting.then((code) => {
      other = code;
    });
    for (let at = 0; at < 50 && other === undefined; at++) await tx.query("SELECT SLEEP(0.1)");
    assert.equal(other, Code.Aborted);
  });
});
