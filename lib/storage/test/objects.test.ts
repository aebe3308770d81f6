//! One contract, two stores: the directory always, and whatever speaks S3 at TEST_S3_ENDPOINT where that is set.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { after, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { refused } from "#lib/harness/refused.ts";
import { openObjects } from "../objects.ts";

const dir = mkdtempSync(path.join(tmpdir(), "skein-objects-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const s3Endpoint = process.env.TEST_S3_ENDPOINT ?? "";
const settings = { s3Endpoint: "", s3Region: "us-east-1", dir: path.join(dir, "store"), freeBytesMin: 0 };
const stores = [
  { name: "a directory", config: settings },
  ...(s3Endpoint === "" ? [] : [{ name: "S3", config: { ...settings, s3Endpoint } }]),
];

function file(bytes: Buffer): string {
  const place = path.join(dir, randomUUID());
  writeFileSync(place, bytes);
  return place;
}

for (const { name, config } of stores) {
  test(`${name} gives what was put there, whole and in part, lists it, and forgets it`, async () => {
    const objects = openObjects(config);
    const prefix = `t${randomUUID()}/`;
    const key = `${prefix}one.bin`;
    const bytes = Buffer.from("0123456789");
    assert.deepEqual(
      [await objects.head(key), await objects.get(key), await objects.list(prefix)],
      [undefined, undefined, []],
    );
    await objects.put(key, file(bytes), bytes.length);
    await objects.put(key, file(bytes), bytes.length);
    await objects.put(`${prefix}two`, file(Buffer.alloc(70_000, 7)), 70_000);
    const read = async (range?: { start: number; end: number }) => {
      const stream = await objects.get(key, range);
      return stream && (await buffer(stream)).toString();
    };
    assert.deepEqual(
      [await objects.head(key), await read(), await read({ start: 2, end: 4 })],
      [10, "0123456789", "234"],
    );
    assert.deepEqual((await objects.list(prefix)).sort(), [key, `${prefix}two`]);
    await objects.delete(key);
    await objects.delete(key);
    await objects.delete(`${prefix}two`);
    assert.deepEqual([await objects.head(key), await read(), await objects.list(prefix)], [undefined, undefined, []]);
  });
}

test("a directory with too little room takes nothing, and says so", async () => {
  const objects = openObjects({ ...settings, freeBytesMin: 2 ** 50 });
  await refused(objects.put("full/one", file(Buffer.alloc(9)), 9), Code.Unavailable, "unavailable");
  assert.equal(await openObjects(settings).head("full/one"), undefined);
});

test("what is no key of ours leads nowhere", async () => {
  const objects = openObjects(settings);
  for (const key of ["../keys.json", "a/../b", "/etc/passwd", "a", "a/.hidden", "a//b"]) {
    await assert.rejects(async () => objects.head(key), key);
  }
});

test("S3 lets a client put exactly the bytes that were announced", {
  skip: s3Endpoint === "" && "no TEST_S3_ENDPOINT",
}, async () => {
  const objects = openObjects({ ...settings, s3Endpoint });
  const key = `t${randomUUID()}/direct`;
  const url = (await objects.direct(key, 10, 60)) ?? "";
  const put = (body: string) => fetch(url, { method: "PUT", body });
  assert.equal((await put("01234567890")).ok, false, "one byte more");
  assert.equal((await put("0123456789")).status, 200);
  assert.equal(await objects.head(key), 10);
  await objects.delete(key);
});
