import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LaunchFailure } from "../../servers/failure.ts";
import { onceEach } from "../kinds.ts";
import { portsFrom } from "../ports.ts";
import { openTracing } from "../start-traces.ts";

const ports = portsFrom(20_000, onceEach);
const own = `http://127.0.0.1:${ports.traces[0]}`;

test("spans go to a store of the instance, unless the environment names a collector or wants none", async (context) => {
  const place = await emptyPlace(context);
  const kept = await openTracing(place({}));
  assert.equal(kept.env.OTEL_EXPORTER_OTLP_ENDPOINT, own);
  assert.equal(kept.store?.url, `http://127.0.0.1:${ports.tracesQuery[0]}`);
  assert.equal(kept.store?.spec.file, process.execPath);

  const elsewhere = await openTracing(place({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" }));
  assert.deepEqual([elsewhere.env.OTEL_EXPORTER_OTLP_ENDPOINT, elsewhere.store], ["http://collector:4318", undefined]);

  const none = await openTracing(place({ OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://x:1" }));
  assert.deepEqual([none.env.OTEL_EXPORTER_OTLP_ENDPOINT, none.store], [undefined, undefined]);
});

test("a program that is named and is no Jaeger is refused with what to do", async (context) => {
  const place = await emptyPlace(context);
  const isThat = (error: unknown) =>
    error instanceof LaunchFailure && error.exitCode === 2 && /SKEIN_JAEGER is .*, which is not a/.test(error.message);
  await assert.rejects(openTracing(place({ SKEIN_JAEGER: "/bin/true" })), isThat);
});

/** No Jaeger on PATH, and none in the cache. */
async function emptyPlace(context: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "skein-traces-"));
  context.after(() => rm(dir, { recursive: true }));
  return (env: Record<string, string>) => ({
    dir,
    env: { SKEIN_CACHE: join(dir, "cache"), PATH: dir, ...env },
    ports,
    version: "0.0.0",
  });
}
