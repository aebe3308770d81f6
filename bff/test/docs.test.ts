import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { postApi } from "./post-api.ts";
import { assertProblem, serve } from "./serve.ts";

test("the contract and a page to try it are served, under a policy that lets the page ask nobody else", async (t) => {
  const { ask } = await serve(t, postApi().rpcs);
  const contract = await ask("/openapi.yaml");
  assert.deepEqual([contract.status, contract.headers["content-type"]], [200, "application/yaml"]);
  assert.equal(contract.text, readFileSync(new URL("../../gen/openapi.yaml", import.meta.url), "utf8"));

  const page = await ask("/docs");
  assert.match(String(page.headers["content-security-policy"]), /^default-src 'none'; script-src 'self';/);
  assert.doesNotMatch(String(page.headers["content-security-policy"]), /unsafe/);
  const parts = [...page.text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => String(path));
  assert.equal(parts.length, 3);
  assert.doesNotMatch(page.text, /https?:|<script>|<style|\son\w+=/);
  for (const path of parts) {
    const part = await ask(path);
    assert.equal(part.status, 200, path);
    assert.match(String(part.headers["content-type"]), /^text\/(css|javascript)/);
    assert.equal((await ask(path, { method: "HEAD" })).headers["content-length"], String(Buffer.byteLength(part.text)));
  }
  for (const path of ["/docs/", "/docs/../openapi.yaml", "/docs/index.html", "/docs/swagger-ui.js.map"]) {
    assertProblem(await ask(path), 404, "not-found");
  }
  assertProblem(await ask("/docs", { method: "POST" }), 404, "not-found");
});
