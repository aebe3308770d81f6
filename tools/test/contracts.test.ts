//! The contracts keep their form and their promises, and gen/ says what they say. Each check is shown to be able to fail.

import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { root } from "../command.ts";
import { breaking, formatContracts, lintContracts, staleFiles } from "../contracts.ts";

const users = "proto/skein/api/v1/user.proto";
const resources = "proto/skein/api/v1/resources.proto";

/** A copy of the contracts with one change, outside the repository. */
function changed(file: string, from: string, to: string): Disposable & { dir: string } {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skein-proto-"));
  for (const name of ["buf.yaml", "proto"]) cpSync(path.join(root, name), path.join(dir, name), { recursive: true });
  const text = readFileSync(path.join(dir, file), "utf8");
  assert.ok(text.includes(from), `${file} has no ${from}`);
  writeFileSync(path.join(dir, file), text.replace(from, to));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

test("the contracts are in form", async () => {
  const { code, output } = await formatContracts();
  assert.equal(code, 0, output);
  using planted = changed(resources, "  string id = 1;", " string id=1;");
  assert.equal((await formatContracts(planted.dir)).code, 100);
});

test("the contracts keep their rules", async () => {
  const { code, output } = await lintContracts();
  assert.equal(code, 0, output);
  using planted = changed(users, "  // GetUser shows one user. NOT_FOUND: no such user.\n", "");
  assert.match((await lintContracts(planted.dir)).output, /RPC "GetUser" should have a non-empty comment/);
});

test("the contracts break nobody who speaks the last release", async () => {
  const { code, output } = await breaking();
  assert.equal(code, 0, output);
});

test("a field that changes its type, its name or its number is a break", async () => {
  for (const broken of ["int64 username = 2;", "string user_name = 2;", "string username = 20;"]) {
    using planted = changed(resources, "string username = 2;", broken);
    const { code, output } = await breaking(planted.dir);
    assert.equal(code, 100, `${broken}: ${output}`);
    assert.match(output, /resources\.proto/);
  }
});

test("a new field is none", async () => {
  using planted = changed(resources, "message User {", "message User {\n  string pronouns = 90;");
  const { code, output } = await breaking(planted.dir);
  assert.equal(code, 0, output);
});

test("gen/ is what the contracts say", async () => {
  assert.deepEqual(await staleFiles(), [], "run npm run gen");
});

test("a generated file that was edited, lost or left over is seen", async () => {
  const gen = mkdtempSync(path.join(os.tmpdir(), "skein-gen-"));
  try {
    cpSync(path.join(root, "gen"), gen, { recursive: true });
    appendFileSync(path.join(gen, "skein/feed/v1/feed_pb.ts"), "// by hand\n");
    rmSync(path.join(gen, "skein/user/v1/user_pb.ts"));
    writeFileSync(path.join(gen, "skein/old_pb.ts"), "");
    const stale = ["skein/feed/v1/feed_pb.ts", "skein/old_pb.ts", "skein/user/v1/user_pb.ts"];
    assert.deepEqual(await staleFiles(gen), stale);
  } finally {
    rmSync(gen, { recursive: true });
  }
});
