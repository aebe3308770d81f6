import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { jaegerCacheName } from "../servers/jaeger.ts";

test("without Go, or with one that is too old, a line says what to do, and nothing is left behind", (context) => {
  const { cache, bin, get } = place(context);
  const none = get("jaeger");
  assert.equal(none.status, 1);
  assert.match(none.stderr, /^get: Go is missing, which builds Jaeger: install Go 1\.24\.6 or newer .*\n$/);
  program(join(bin, "go"), "echo go1.19.8");
  const old = get("jaeger");
  assert.equal(old.status, 1);
  assert.match(old.stderr, /^get: .*\/go is 1\.19\.8, and Jaeger needs more: install Go .*\n$/);
  assert.deepEqual(readdirSync(cache), []);
});

test("a module that is not the one that was tried is not built", (context) => {
  const { cache, bin, get } = place(context);
  const other = '{"Dir":"/etc","Sum":"h1:another"}';
  program(join(bin, "go"), `case "$1" in env) echo go1.26.0;; mod) echo '${other}';; *) touch ${cache}/built;; esac`);
  const said = get("jaeger");
  assert.equal(said.status, 1);
  assert.match(said.stderr, /has the sum h1:another, not the pinned h1:.*; nothing of it is built\n$/);
  assert.deepEqual(readdirSync(cache), []);
});

test("what is there is not built again, and anything else is wrong usage", (context) => {
  const { cache, get } = place(context);
  const file = join(cache, jaegerCacheName, "bin", "jaeger");
  program(file, "exit 1");
  const said = get("jaeger", "--json");
  assert.equal(said.status, 0, said.stderr);
  assert.deepEqual(JSON.parse(said.stdout), { name: "jaeger", version: "v1.76.0", file, wasThere: true });
  assert.equal(get("zipkin").status, 2);
  assert.equal(get().status, 2);
});

/** A cache, and a PATH with nothing but the shell on it. */
function place(context: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "skein-get-"));
  context.after(() => rmSync(dir, { recursive: true }));
  const [cache, bin] = [join(dir, "cache"), join(dir, "bin")];
  mkdirSync(cache);
  mkdirSync(bin);
  const env = { SKEIN_CACHE: cache, PATH: `${bin}:/bin`, HOME: dir };
  const file = join(import.meta.dirname, "..", "get.ts");
  const get = (...args: string[]) => spawnSync(process.execPath, [file, ...args], { env, encoding: "utf8" });
  return { cache, bin, get };
}

function program(file: string, text: string): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}
