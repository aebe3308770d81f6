import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { readConfig } from "../src/config.ts";
import { bearer, keys, raw } from "./serve.ts";

const publicKey = JSON.stringify(keys.publicKey.export({ format: "jwk" }));
/** Nobody listens on the discard port: the mesh is away. */
const env = {
  PORT: "0",
  INSTANCE: "bff-1",
  MESH_URL: "http://127.0.0.1:9",
  REDIS_URL: process.env.TEST_REDIS_URL ?? "",
  INTERNAL_KEY: Buffer.alloc(32, 1).toString("base64url"),
  ACCESS_PUBLIC_KEY: publicKey,
  DEPLOYMENT: "test",
  LOG_LEVEL: "info",
  DRAIN_MS: "2000",
};

test("a missing setting fails the start and is named", () => {
  for (const name of ["INSTANCE", "MESH_URL", "REDIS_URL", "INTERNAL_KEY", "ACCESS_PUBLIC_KEY"]) {
    assert.throws(() => readConfig({ ...env, [name]: undefined }), new RegExp(name));
  }
  assert.throws(() => readConfig({ ...env, ACCESS_PUBLIC_KEY: "x" }), /ACCESS_PUBLIC_KEY is not JSON/);
  assert.throws(() => readConfig({ ...env, RATE_READ: "fast" }), /RATE_READ=fast is not <requests a second>/);
  const secret = JSON.stringify(keys.privateKey.export({ format: "jwk" }));
  assert.throws(() => readConfig({ ...env, ACCESS_PUBLIC_KEY: secret }), /ACCESS_PUBLIC_KEY holds a private key/);
});

test("the process serves, outlives an absent mesh, and leaves politely", { timeout: 30_000 }, async (t) => {
  const main = path.join(import.meta.dirname, "../src/main.ts");
  const child = spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  /** The next line that says so; a slow start has others before it. */
  const line = async (msg: string) => {
    for (;;) {
      const { value, done } = await lines.next();
      assert.ok(!done, `it ended without "${msg}"`);
      const said = JSON.parse(value) as Record<string, unknown>;
      if (said.msg === msg) return said;
    }
  };
  const ready = await line("ready");
  const base = `http://127.0.0.1:${ready.port}`;
  assert.equal((await fetch(`${base}/healthz`)).status, 200);

  const feed = await fetch(`${base}/v1/feed`, { headers: await bearer("7") });
  assert.ok(feed.status === 503 || feed.status === 504, String(feed.status));
  await line("request failed");

  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await line("draining");
  assert.match(await raw(Number(ready.port), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1.1 503 /);
  assert.deepEqual(await exited, [0, null]);
});
