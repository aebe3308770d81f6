import { randomBytes } from "node:crypto";

type Ids = { readonly traceId: string; readonly spanId: string };

/** Random ids are drawn many at a time: one call into OpenSSL costs more than a span. */
const poolBytes = 8 * 512;
let pool = Buffer.alloc(0);
let next = 0;

function random(bytes: 8 | 16): string {
  if (next + bytes > pool.length) {
    pool = randomBytes(poolBytes);
    next = 0;
  }
  next += bytes;
  return pool.toString("hex", next - bytes, next);
}

export const newSpanId = (): string => random(8);
export const newTraceId = (): string => random(16);

let given: Ids | undefined;

/** Where spans take their ids from. A span that is kept after the fact has long told its own to whoever worked for it. */
export const ids = {
  /** A span that is started in there has these ids. */
  within<T>(own: Ids, start: () => T): T {
    given = own;
    try {
      return start();
    } finally {
      given = undefined;
    }
  },
  generateTraceId: (): string => given?.traceId ?? random(16),
  generateSpanId: (): string => given?.spanId ?? random(8),
};
