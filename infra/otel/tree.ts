import type { Span } from "./spans.ts";

/** A span and what was done for it, in the order of start. */
export type TreeNode<S extends Treed = Span> = { readonly span: S; readonly children: TreeNode<S>[] };

/** What a tree is made of. */
type Treed = Pick<Span, "traceId" | "spanId" | "parentId" | "startNs">;

/**
 * The trees that spans make, of any number of traces. `roots` have no parent; `orphans` name one that is not among the
 * spans (or is below themselves), and head what hangs below them. A span that was sent twice is there once.
 */
export function treesOf<S extends Treed>(
  spans: readonly S[],
): { readonly roots: readonly TreeNode<S>[]; readonly orphans: readonly TreeNode<S>[] } {
  const nodes = new Map<string, TreeNode<S>>();
  for (const span of [...spans].sort(byStart)) nodes.set(keyOf(span), { span, children: [] });
  const roots: TreeNode<S>[] = [];
  const orphans: TreeNode<S>[] = [];
  for (const node of nodes.values()) {
    const { traceId, parentId } = node.span;
    if (parentId === undefined) roots.push(node);
    else {
      const parent = nodes.get(keyOf({ traceId, spanId: parentId }));
      if (parent === undefined || isBelow(node, parent, nodes)) orphans.push(node);
      else parent.children.push(node);
    }
  }
  return { roots, orphans };
}

/** Every node of a tree, a parent before its children, with how deep it is. */
export function* walk<S extends Treed>(node: TreeNode<S>): Generator<{ node: TreeNode<S>; depth: number }> {
  const open = [{ node, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    yield next;
    const { depth } = next;
    open.push(...next.node.children.map((child) => ({ node: child, depth: depth + 1 })).reverse());
  }
}

/** Whether `under` is below `node`, by the parents they name: broken senders make rings, which have no root. */
function isBelow<S extends Treed>(node: TreeNode<S>, under: TreeNode<S>, nodes: Map<string, TreeNode<S>>): boolean {
  const seen = new Set<TreeNode<S>>();
  for (let at: TreeNode<S> | undefined = under; at !== undefined && !seen.has(at); ) {
    if (at === node) return true;
    seen.add(at);
    const { traceId, parentId }: Treed = at.span;
    at = parentId === undefined ? undefined : nodes.get(keyOf({ traceId, spanId: parentId }));
  }
  return false;
}

const keyOf = ({ traceId, spanId }: Pick<Treed, "traceId" | "spanId">): string => `${traceId}/${spanId}`;

const byStart = (left: Treed, right: Treed): number =>
  left.startNs < right.startNs ? -1 : left.startNs > right.startNs ? 1 : 0;
