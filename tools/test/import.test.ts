import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createEdgeWindow } from "../import/edge-window.ts";
import { createEdgeReader } from "../import/edges.ts";
import { createNodes } from "../import/nodes.ts";
import { createProgress, duration, progressLine } from "../progress.ts";

/** What a reader makes of a text that comes in some chunks. */
function read(...chunks: (string | Buffer)[]) {
  const edges: [number, number][] = [];
  const bad: string[] = [];
  const reader = createEdgeReader({
    edge: (from, to) => edges.push([from, to]),
    bad: (line, why) => bad.push(`${line} ${why}`),
  });
  for (const chunk of chunks) reader.push(Buffer.from(chunk as string));
  reader.end();
  return { edges, bad, lines: reader.lines() };
}

const lines: { what: string; text: string; edges: [number, number][]; bad?: string[] }[] = [
  { what: "nothing", text: "", edges: [] },
  { what: "comments and blank lines", text: "# a\n#b\n\n  \n\t\n 1 2\n  # c\n", edges: [[1, 2]] },
  { what: "tabs and many blanks", text: "1\t2\n 3 \t  4 \n", edges: [[1, 2], [3, 4]] }, // biome-ignore format: a table
  { what: "CRLF", text: "# x\r\n1 2\r\n\r\n3\t4\r\n", edges: [[1, 2], [3, 4]] }, // biome-ignore format: a table
  { what: "no final newline", text: "1 2\n3 4", edges: [[1, 2], [3, 4]] }, // biome-ignore format: a table
  { what: "a byte order mark", text: "\ufeff1 2\n", edges: [[1, 2]] },
  { what: "leading zeros", text: "007 0000000000000000000\n", edges: [[7, 0]] },
  { what: "fifteen digits", text: "999999999999999 1\n", edges: [[999_999_999_999_999, 1]] },
  { what: "sixteen digits", text: "1 2\n1 1000000000000000\n", edges: [[1, 2]], bad: ["2 has a number of more than 15 digits"] }, // biome-ignore format: a table
  { what: "a negative number", text: "-1 2\n1 -2\n", edges: [], bad: ["1 is not two whole numbers", "2 is not two whole numbers"] }, // biome-ignore format: a table
  { what: "other than digits", text: "1 2.0\n1,2 3\n+1 2\na b\n", edges: [], bad: [1, 2, 3, 4].map((n) => `${n} is not two whole numbers`) }, // biome-ignore format: a table
  { what: "one column", text: "1\n", edges: [], bad: ["1 has one column"] },
  { what: "three columns", text: "1 2 3\n4 5\n", edges: [[4, 5]], bad: ["1 has more than two columns"] },
  { what: "bytes that are no text", text: "\u0000\u0001 \u0002\n", edges: [], bad: ["1 is not two whole numbers"] },
];

for (const { what, text, edges, bad = [] } of lines) {
  test(`an edge list with ${what}`, () => {
    const found = read(text);
    assert.deepEqual({ edges: found.edges, bad: found.bad }, { edges, bad });
  });
}

test("a line longer than any edge is one bad line, however it comes", () => {
  const long = "1".repeat(5_000);
  const wanted = { edges: [[1, 2], [3, 4]], bad: ["2 is longer than 1024 bytes"], lines: 3 }; // biome-ignore format: short
  assert.deepEqual(read("1 2\n", long, long, `${long}\n3 4\n`), wanted);
  assert.deepEqual(read(`# ${long}`, `${long}\n3 4\n`).bad, []);
});

test("where a file is cut into chunks changes nothing", () => {
  const text = Buffer.from("# c\r\n1 2\n33\t44\r\nx\n\n5 6 7\n8 9");
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), text.length];
      const chunks = at.slice(1).map((end, nth) => text.subarray(at[nth], end));
      assert.deepEqual(read(...chunks), read(text));
    }),
  );
});

test("nodes keep their number and their account while the table grows", () => {
  const nodes = createNodes();
  const names = Array.from({ length: 100_000 }, (_, nth) => (nth % 2 === 0 ? nth : nth * 4_294_967_296));
  for (const [nth, name] of names.entries()) {
    assert.equal(nodes.indexOf(name), nth);
    nodes.setId(nth, BigInt(nth) + 7n);
  }
  for (const [nth, name] of names.entries()) {
    assert.equal(nodes.indexOf(name), nth);
    assert.equal(nodes.nameOf(nth), name);
    assert.equal(nodes.idOf(nth), BigInt(nth) + 7n);
  }
  assert.equal(nodes.size(), names.length);
});

test("a window gives each pair once, by follower, in calls of bounded size", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 300 }),
      fc.integer({ min: 1, max: 40 }),
      (pairs, max) => {
        const window = createEdgeWindow(300);
        for (const [from, to] of pairs) window.add(from, to);
        const { edges, repeats } = window.take();
        const calls = [...edges.batches(max)];
        const given = calls.flat().flatMap(({ from, to }) => to.map((whom) => `${from} ${whom}`));
        assert.deepEqual(new Set(given), new Set(pairs.map((pair) => pair.join(" "))));
        assert.equal(given.length, edges.count);
        assert.equal(repeats, pairs.length - edges.count);
        for (const lists of calls) {
          assert.ok(lists.reduce((sum, { to }) => sum + to.length, 0) <= max);
          assert.equal(new Set(lists.map(({ from }) => from)).size, lists.length);
        }
        assert.equal(window.size(), 0);
      },
    ),
  );
});

test("progress says what, how far, how fast and how long", () => {
  assert.equal(
    progressLine({ what: "follows", done: 312_000, total: 1_020_447, perSecond: 24_100 }),
    "follows 312,000/1,020,447 · 24,100/s · 29 s left",
  );
  assert.equal(progressLine({ what: "follows", done: 7, perSecond: 2 }), "follows 7 · 2/s");
  assert.equal(progressLine({ what: "follows", done: 0, total: 9, perSecond: 0 }), "follows 0/9 · 0/s");
  assert.deepEqual([0, 59.4, 61, 3_600, 7_860].map(duration), [
    "0 s",
    "59 s",
    "1 min 01 s",
    "1 h 00 min",
    "2 h 11 min",
  ]);
});

test("progress is one line on a terminal, and a line now and then elsewhere", () => {
  const said = (isTTY: boolean) => {
    const written: string[] = [];
    let time = 0;
    const progress = createProgress({
      stream: { isTTY, columns: 20, write: (text) => written.push(text) },
      now: () => time,
    });
    for (let done = 0; done <= 100; done++, time += 100) progress.update({ what: "posts", done, total: 100 });
    progress.end();
    return written;
  };
  const terminal = said(true).join("");
  assert.ok(!terminal.includes("\n"));
  assert.ok(terminal.endsWith("\r\u001b[2K"), "the line is taken back at the end");
  for (const line of terminal.split("\r\u001b[2K")) assert.ok(line.length < 20);
  assert.deepEqual(said(false), ["posts 50/100 · 10/s · 5 s left\n", "posts 100/100 · 10/s · 0 s left\n"]);
});
