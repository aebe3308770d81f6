import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { explain } from "#lib/mesh/errors.ts";
import { idAt, newId, parseId, timeOf } from "../id.ts";
import { pageSizeOf, pageTokens } from "../page.ts";

const tokens = pageTokens(randomBytes(32).toString("base64url"));
const reasonOf = (work: () => unknown): string | undefined => {
  try {
    work();
  } catch (reason) {
    return explain(ConnectError.from(reason)).reason;
  }
  return undefined;
};

test("a page token names its place, to its list and its viewer alone", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: (1n << 63n) - 1n }), fc.string(), fc.string(), (id, scope, viewer) => {
      const token = tokens.encode(id, scope, viewer);
      assert.equal(tokens.decode(token, scope, viewer), id);
      assert.equal(
        reasonOf(() => tokens.decode(token, `${scope}x`, viewer)),
        "invalid-cursor",
      );
      assert.equal(
        reasonOf(() => tokens.decode(token, scope, `${viewer}x`)),
        "invalid-cursor",
      );
    }),
  );
});

test("a page token that was touched is refused", () => {
  const token = tokens.encode(newId(), "home", "7");
  for (let at = 0; at < token.length; at++) {
    const flipped = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
    assert.equal(
      reasonOf(() => tokens.decode(flipped, "home", "7")),
      "invalid-cursor",
      flipped,
    );
  }
  const other = pageTokens(randomBytes(32).toString("base64url")).encode(newId(), "home", "7");
  for (const text of [
    "0",
    "eyJvZmZzZXQiOi0xfQ",
    token.slice(1),
    `${token}A`,
    `${token}=`,
    "\0",
    "x".repeat(10_000),
    other,
  ]) {
    assert.equal(
      reasonOf(() => tokens.decode(text, "home", "7")),
      "invalid-cursor",
      text,
    );
  }
});

test("a page token tells nothing of its place, and is good under every key of the ring", () => {
  const [old, next] = [randomBytes(32), randomBytes(32)].map((key) => key.toString("base64url")) as [string, string];
  const places = Array.from({ length: 200 }, () => newId());
  const texts = places.map((place) => pageTokens(old).encode(place, "home", "7"));
  for (const [nth, place] of places.entries()) {
    const bytes = Buffer.from(texts[nth] as string, "base64url");
    const clear = Buffer.alloc(8);
    clear.writeBigUInt64BE(place);
    // Ids of one moment begin alike; what hides them does not.
    assert.ok(!bytes.includes(clear.subarray(0, 4)), texts[nth]);
    assert.equal(pageTokens(`${next},${old}`).decode(texts[nth] as string, "home", "7"), place);
  }
  assert.equal(new Set(texts.map((text) => text.slice(0, 6))).size, texts.length);
});

test("a page size is 1 to 100, 20 where it is not said, never clamped", () => {
  assert.deepEqual([0, 1, 20, 100].map(pageSizeOf), [20, 1, 20, 100]);
  for (const asked of [-1, 101, 1e9])
    assert.equal(
      reasonOf(() => pageSizeOf(asked)),
      "validation",
    );
});

test("ids grow within a process, tell their time, and are read back only as they are written", () => {
  let last = 0n;
  for (let nth = 0; nth < 20_000; nth++) {
    const id = newId();
    assert.ok(id > last);
    last = id;
  }
  const time = Date.UTC(2026, 5, 1);
  assert.equal(timeOf(idAt(time)), time);
  assert.equal(parseId(String(last)), last);
  for (const text of ["", "0", "-1", "01", "1.5", "1e3", " 1", "９", "9223372036854775808", "99999999999999999999"]) {
    assert.equal(parseId(text), undefined, text);
  }
});
