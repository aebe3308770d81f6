import type { Span } from "../spans.ts";

let made = 0;

export const traceIdOf = (n: number): string => n.toString(16).padStart(32, "0");

/** A span of the trace with this number, which began that many seconds after an hour of 2026. */
export function spanOf(n: number, given: Partial<Span> = {}): Span {
  const startNs = 1_790_000_000_000_000_000n + BigInt(n) * 1_000_000_000n;
  return {
    traceId: traceIdOf(n),
    spanId: (++made).toString(16).padStart(16, "0"),
    parentId: undefined,
    name: "GetPost",
    kind: "server",
    service: "post",
    instance: given.service ?? "post",
    startNs,
    endNs: startNs + 5_000_000n,
    error: undefined,
    attributes: {},
    links: [],
    ...given,
  };
}
