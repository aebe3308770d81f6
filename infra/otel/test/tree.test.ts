import assert from "node:assert/strict";
import { test } from "node:test";
import { type TreeNode, treesOf, walk } from "../tree.ts";

type Part = { traceId: string; spanId: string; parentId: string | undefined; startNs: bigint };
const part = (spanId: string, parentId: string | undefined, start: number, traceId = "t"): Part => ({
  traceId,
  spanId,
  parentId,
  startNs: BigInt(start),
});
const shape = (node: TreeNode<Part>): string[] =>
  [...walk(node)].map(({ node: at, depth }) => `${" ".repeat(depth)}${at.span.spanId}`);

test("spans in any order make their tree, children in the order of their start", () => {
  const spans = [part("d", "b", 4), part("c", "a", 3), part("b", "a", 2), part("a", undefined, 1), part("b", "a", 2)];
  const { roots, orphans } = treesOf(spans);
  assert.deepEqual(roots.map(shape), [["a", " b", "  d", " c"]]);
  assert.deepEqual(orphans, []);
});

test("a span whose parent is missing is an orphan, with what hangs below it", () => {
  const { roots, orphans } = treesOf([part("a", undefined, 1), part("b", "gone", 2), part("c", "b", 3)]);
  assert.deepEqual(roots.map(shape), [["a"]]);
  assert.deepEqual(orphans.map(shape), [["b", " c"]]);
});

test("the same span id in another trace is another span", () => {
  const { roots, orphans } = treesOf([part("a", undefined, 1), part("b", "a", 2, "other")]);
  assert.deepEqual([roots.map(shape), orphans.map(shape)], [[["a"]], [["b"]]]);
});

test("a ring of parents ends, as orphans, and loses nothing", () => {
  const { roots, orphans } = treesOf([part("a", "b", 1), part("b", "a", 2), part("c", "c", 3), part("d", "b", 4)]);
  assert.deepEqual(roots, []);
  assert.deepEqual(orphans.map(shape), [["a"], ["b", " d"], ["c"]]);
});
