import assert from "node:assert/strict";
import { after, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { cacheDirOf } from "../tools/servers/cache.ts";
import { findJaeger } from "../tools/servers/jaeger.ts";
import { traceApi } from "../tools/trace/api.ts";
import { assertPost, openDeeds, treeOf } from "./support/deeds.ts";
import { type System, startSystem } from "./support/system.ts";

const jaeger = await findJaeger({ env: process.env, cacheDir: cacheDirOf(process.env) });
let system: System | undefined;
after(() => system?.stop());

test("in Jaeger, where there is one, each request is one connected tree, and a post is found by its id", {
  skip: jaeger === undefined && "there is no jaeger here; npm run get -- jaeger builds it",
}, async () => {
  system = await startSystem({}, { TRACE_PERCENT: "100" });
  const { traces, processes } = await system.instance.status();
  assert.equal(processes.find(({ name }) => name === "traces")?.version, jaeger?.version);
  const api = traceApi(String(traces));

  const people = await openDeeds(system.edge, 4);
  await people.run(72);
  for (const deed of people.deeds) {
    const posted = deed.what === "post" && deed.status === 201;
    let left: unknown;
    await until("the whole tree is in Jaeger", async () => {
      const found = await api.trace(deed.traceId);
      try {
        const tree = treeOf(deed, found?.spans ?? []);
        if (posted) assertPost(tree);
        return true;
      } catch (reason) {
        left = reason;
        return false;
      }
    }).catch((reason) => assert.fail(`${reason}: ${left}`));
    if (!posted) continue;
    const found = await api.search({ tags: { "skein.aggregate": `post:${deed.id}` }, limit: 20 });
    assert.ok(found.some(({ traceId }) => traceId === deed.traceId));
  }
});
