import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { scripts } from "#lib/harness/texts.ts";
import { facetsIn, type TextRange, tagOf } from "../facets.ts";

/** What stands at the ranges of a text, cut out by code points. */
function cut(text: string) {
  const points = [...text];
  const at = ({ start, end }: TextRange) => points.slice(start, end).join("");
  const { mentions, hashtags, links } = facetsIn(text);
  return {
    mentions: mentions.map(({ range, username }) => [at(range), username]),
    hashtags: hashtags.map(({ range, tag }) => [at(range), tag]),
    links: links.map(({ range, url }) => [at(range), url]),
  };
}

test("mentions are names that stand alone, in whatever script stands around them", () => {
  assert.deepEqual(cut("hi @Bob, (@al_1)! こんにちは@carolさん ＠dave").mentions, [
    ["@Bob", "bob"],
    ["@al_1", "al_1"],
    ["@carol", "carol"],
    ["＠dave", "dave"],
  ]);
  for (const text of [
    "a@bob.org",
    "josé@bob.org",
    "@bob@server",
    "@1st",
    "@b",
    `@${"a".repeat(31)}`,
    "@@bob",
    "x/@bob",
  ])
    assert.deepEqual(cut(text).mentions, [], text);
});

test("tags are of any script and of emoji, and equal however they are composed or written", () => {
  for (const [text, tag] of [
    ["#Café", "café"],
    ["#cafe\u0301", "café"],
    ["＃ΟΔΌΣ", "οδός"],
    ["#नमस्ते", "नमस्ते"],
    ["#می\u200cخواهم", "می\u200cخواهم"],
    ["#猫かわいい", "猫かわいい"],
    ["#👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"],
    ["#❤️", "❤"],
    ["#🇺🇳", "🇺🇳"],
    ["#2026goals", "2026goals"],
  ] as const) {
    const { hashtags } = cut(`see ${text}, and`);
    assert.deepEqual(hashtags, [[text, tag]]);
    assert.equal(tagOf(text.slice(1)), tag);
  }
  for (const text of ["#1", "#_", "a#b", "#", "1️⃣ #️⃣", "&#39;", `#${"a".repeat(101)}`, "##"])
    assert.deepEqual(cut(text).hashtags, [], text);
  for (const written of ["", "a b", "1", "a#b", "a".repeat(101)]) assert.equal(tagOf(written), undefined);
});

test("links end before the sentence goes on, and an address that pretends to be another's is none", () => {
  assert.deepEqual(cut("(see https://ex.org/a_(b)), HTTP://EX.org/#top. https://例え.jp/パス。").links, [
    ["https://ex.org/a_(b)", "https://ex.org/a_(b)"],
    ["HTTP://EX.org/#top", "http://ex.org/#top"],
    ["https://例え.jp/パス", "https://xn--r8jz45g.jp/%E3%83%91%E3%82%B9"],
  ]);
  for (const text of [
    "http://",
    "https://user:pass@ex.org/",
    "javascript://ex.org",
    "xhttps://ex.org",
    `http://ex.org/${"a".repeat(2_048)}`,
  ])
    assert.deepEqual(cut(text).links, [], text);
  assert.deepEqual(cut("https://ex.org/@bob#tag").mentions, []);
  assert.deepEqual(cut("https://ex.org/@bob#tag").hashtags, []);
});

test("a sign right before an address is text, and the address a link", () => {
  for (const text of ["#http://ex.org/", "@http://ex.org/", "＠https://ex.org/"]) {
    const { mentions, hashtags, links } = cut(text);
    assert.deepEqual([mentions, hashtags], [[], []], text);
    assert.equal(links.length, 1, text);
  }
});

test("no more than 50 of a kind are found", () => {
  const many = Array.from({ length: 60 }, (_, nth) => `@name${nth} #tag${nth} http://h${nth}/`).join(" ");
  const { mentions, hashtags, links } = facetsIn(many);
  assert.deepEqual([mentions.length, hashtags.length, links.length], [50, 50, 50]);
});

test("in any text, bytes and code points name the same part, and parts do not overlap", () => {
  const pieces = fc.oneof(
    fc.constantFrom(
      ...scripts.map((text) => text.replaceAll("\u0000", "")),
      "@bob",
      "#tag",
      "http://ex.org/(a)",
      " ",
      "#",
      "@",
      "🧶",
      "é",
      "猫",
    ),
    fc.string({ unit: "grapheme", maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
      const text = parts.join("");
      const { mentions, hashtags, links } = facetsIn(text);
      const ranges = [...mentions, ...hashtags, ...links].map(({ range }) => range).sort((a, b) => a.start - b.start);
      const bytes = Buffer.from(text);
      const points = [...text];
      let last = 0;
      for (const { byteStart, byteEnd, start, end } of ranges) {
        assert.ok(start >= last && end > start);
        last = end;
        assert.equal(bytes.subarray(byteStart, byteEnd).toString(), points.slice(start, end).join(""));
      }
    }),
    { numRuns: 2_000 },
  );
});
