import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { debugTrace, signDebugTrace } from "../src/debug-trace.ts";
import { serve } from "./serve.ts";

const key = randomBytes(32).toString("base64url");
const nowSeconds = () => Math.floor(Date.now() / 1000);

test("who was given a signed wish may have requests traced, until it runs out", () => {
  const isForced = debugTrace({ key, isOpen: false });
  const good = signDebugTrace(key, nowSeconds() + 600);
  assert.ok(isForced(good));
  const [expiry = "", mac = ""] = good.split(".");
  const tampered = `${Number(expiry) + 1}.${mac}`;
  const foreign = signDebugTrace(randomBytes(32).toString("base64url"), nowSeconds() + 600);
  const past = signDebugTrace(key, nowSeconds() - 1);
  const forGood = signDebugTrace(key, nowSeconds() + 90_000);
  for (const wish of ["", "1", "1.", `${expiry}.`, `${expiry}.${"A".repeat(43)}`, tampered, foreign, past, forGood]) {
    assert.ok(!isForced(wish), wish);
  }
});

test("in development every wish counts", () => {
  assert.ok(debugTrace({ key, isOpen: true })("1"));
});

test("an answer names its trace where there is one to look at", async (t) => {
  const { ask } = await serve(t, [], { isForced: (wish) => wish === "please" });
  const forced = await ask("/v1/nothing", { headers: { "debug-trace": "please" } });
  assert.match(String(forced.headers.traceresponse), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.equal(forced.json().traceId, String(forced.headers.traceresponse).slice(3, 35));
  const refused = await ask("/v1/nothing", { headers: { "debug-trace": "1" } });
  assert.equal(refused.headers.traceresponse, undefined);
});
