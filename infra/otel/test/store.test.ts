import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Span } from "../spans.ts";
import { openStore, type Query } from "../store.ts";
import { spanOf, traceIdOf } from "./span.ts";

const everything: Query = {
  tags: {},
  startMinUs: 0,
  startMaxUs: Number.POSITIVE_INFINITY,
  durationMinUs: 0,
  durationMaxUs: Number.POSITIVE_INFINITY,
  limit: 100,
};
const ids = (found: readonly { traceId: string }[]) => found.map(({ traceId }) => traceId);

test("a trace that came in parts, from several processes, is found whole, also after a restart", async (context) => {
  const dir = await scratch(context);
  const parts = [spanOf(1, { service: "edge" }), spanOf(1, { service: "post" }), spanOf(2, { service: "post" })];
  let store = openStore({ dir });
  store.append(parts.slice(0, 1));
  store.append(parts.slice(1));
  const kept = { traceId: traceIdOf(1), spans: parts.slice(0, 2), missing: 0 };
  assert.deepEqual(store.trace(traceIdOf(1)), kept);
  store.close();
  // A death in the middle of a write leaves half a line.
  await appendFile(join(dir, "spans.jsonl"), '{"resourceSpans":[{"reso');
  store = openStore({ dir });
  store.append([spanOf(3)]);
  assert.deepEqual(store.trace(traceIdOf(1)), kept);
  assert.deepEqual(store.services(), ["edge", "post"]);
  store.close();
  store = openStore({ dir });
  assert.deepEqual(ids(store.find(everything)), [3, 2, 1].map(traceIdOf));
  store.close();
});

test("traces are found by service, operation, attribute, error, start and duration, the newest first", async (context) => {
  const store = openStore({ dir: await scratch(context) });
  const post = { attributes: { "skein.aggregate": "post:12" } };
  store.append([
    spanOf(1, { service: "post", name: "Publish", ...post }),
    spanOf(1, { service: "feed" }),
    spanOf(2, { service: "feed", ...post, error: "Unavailable" }),
    spanOf(3, { service: "feed", attributes: { "skein.aggregate": "post:123", tries: 12 } }),
    spanOf(4, { service: "edge", endNs: spanOf(4).startNs + 2_000_000_000n }),
  ]);
  const cases: [query: Partial<Query>, traces: number[]][] = [
    [{}, [4, 3, 2, 1]],
    [{ limit: 2 }, [4, 3]],
    [{ service: "feed" }, [3, 2, 1]],
    [{ operation: "Publish" }, [1]],
    [{ tags: { "skein.aggregate": "post:12" } }, [2, 1]],
    [{ tags: { "skein.aggregate": "post:12" }, service: "feed" }, [2]],
    [{ tags: { "skein.aggregate": "post:12", error: "true" } }, [2]],
    [{ tags: { error: "true" } }, [2]],
    [{ tags: { tries: "12" } }, [3]],
    [{ tags: { "skein.aggregate": 'post"1' } }, []],
    [{ durationMinUs: 1_000_000 }, [4]],
    [{ durationMaxUs: 1_000_000 }, [3, 2, 1]],
    [{ startMinUs: Number(spanOf(2).startNs / 1000n), startMaxUs: Number(spanOf(3).startNs / 1000n) }, [3, 2]],
  ];
  for (const [query, traces] of cases) {
    assert.deepEqual(ids(store.find({ ...everything, ...query })), traces.map(traceIdOf), JSON.stringify(query));
  }
  store.close();
});

test("the files stay within their limit: the oldest traces go, are counted, and are no longer listed", async (context) => {
  const dir = await scratch(context);
  const drops: number[] = [];
  const maxBytes = 20_000;
  const store = openStore({ dir, maxBytes, onDrop: (traces) => drops.push(traces) });
  const count = 400;
  for (let n = 1; n <= count; n++) store.append([spanOf(n)]);
  for (const name of ["spans.jsonl", "spans.1.jsonl"]) {
    assert.ok((await stat(join(dir, name))).size < maxBytes + 1_000, name);
  }
  const { kept, dropped } = store.counts();
  assert.equal(kept + dropped, count);
  assert.equal(
    drops.reduce((sum, each) => sum + each),
    dropped,
  );
  assert.ok(kept >= 40 && dropped > 200, `${kept} kept, ${dropped} dropped`);
  const found = store.find({ ...everything, limit: count });
  assert.deepEqual(
    ids(found),
    Array.from({ length: kept }, (_, index) => traceIdOf(count - index)),
  );
  assert.equal(store.trace(traceIdOf(1)).spans.length, 0);
  store.close();
});

test("a trace without end fills neither the index nor an answer, and what is left out is told", async (context) => {
  const store = openStore({ dir: await scratch(context) });
  const spans: Span[] = Array.from({ length: 15_000 }, () => spanOf(1));
  store.append(spans);
  store.append(spans);
  assert.deepEqual([store.trace(traceIdOf(1)).spans.length, store.trace(traceIdOf(1)).missing], [20_000, 10_000]);
  for (let n = 0; n < 2_060; n++) store.append([spanOf(2)]);
  assert.deepEqual([store.trace(traceIdOf(2)).spans.length, store.trace(traceIdOf(2)).missing], [2_048, 12]);
  store.close();
});

async function scratch(context: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "skein-traces-"));
  context.after(() => rm(dir, { recursive: true }));
  return dir;
}
