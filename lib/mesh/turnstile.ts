import { Code } from "@connectrpc/connect";
import { problem } from "./errors.ts";

type Options = {
  /** At work at once, and how many more wait for their turn. */
  readonly insideMax: number;
  readonly outsideMax: number;
  /** What is refused beyond both. */
  readonly what: string;
  readonly refused?: () => void;
};

/**
 * Lets so much work in at once, in the order it came; more waits, and beyond that it is UNAVAILABLE, `overloaded`, at once: a
 * bulkhead, after Nygard's "Release It!".
 */
export function turnstile({ insideMax, outsideMax, what, refused = () => {} }: Options) {
  const outside: (() => void)[] = [];
  let inside = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (inside >= insideMax) {
      if (outside.length >= outsideMax) {
        refused();
        throw problem(Code.Unavailable, "overloaded", `${what}: ${insideMax} at once, and ${outsideMax} wait`);
      }
      await new Promise<void>((enter) => outside.push(enter));
    } else inside++;
    try {
      return await work();
    } finally {
      const next = outside.shift();
      if (next === undefined) inside--;
      else next();
    }
  };
}
