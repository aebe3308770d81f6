/** 26 bits a node: a pair is exact in a double's 53, and a typed array of doubles sorts natively. */
export const nodesMax = 2 ** 26;

/**
 * Part of a file's edges, to be written follower by follower: one transaction then touches few followers, and one fact
 * holds many follows. Eight bytes an edge.
 */
export function createEdgeWindow(capacity: number) {
  const pairs = new Float64Array(capacity);
  let size = 0;

  return {
    size: (): number => size,
    add(from: number, to: number): void {
      pairs[size++] = from * nodesMax + to;
    },

    /**
     * By follower, each pair once, and how many were repeats. Sorted in place: what is taken is good until the next `add`.
     */
    take(): { edges: SortedEdges; repeats: number } {
      const sorted = pairs.subarray(0, size).sort();
      let kept = 0;
      for (const pair of sorted) if (kept === 0 || pair !== sorted[kept - 1]) sorted[kept++] = pair;
      const repeats = size - kept;
      size = 0;
      return { edges: sortedEdges(sorted.subarray(0, kept)), repeats };
    },
  };
}

type SortedEdges = ReturnType<typeof sortedEdges>;

/** One follower and some of whom they follow, by node number. */
export type NodeList = { readonly from: number; readonly to: number[] };

function sortedEdges(pairs: Float64Array) {
  return {
    count: pairs.length,
    /** Lists of at most `edgesMax` edges in all. A follower is cut in two only where it does not fit. */
    *batches(edgesMax: number): Generator<NodeList[]> {
      let lists: NodeList[] = [];
      let held = 0;
      let at = 0;
      while (at < pairs.length) {
        const from = Math.floor((pairs[at] ?? 0) / nodesMax);
        let end = at;
        while (end < pairs.length && end - at < edgesMax && Math.floor((pairs[end] ?? 0) / nodesMax) === from) end++;
        if (held + end - at > edgesMax) {
          yield lists;
          lists = [];
          held = 0;
        }
        lists.push({ from, to: Array.from(pairs.subarray(at, end), (pair) => pair % nodesMax) });
        held += end - at;
        at = end;
      }
      if (lists.length > 0) yield lists;
    },
  };
}
