import { Resolver } from "node:dns/promises";
import { NoPreview } from "./refusal.ts";

/** The addresses behind a name, those of IPv4 first. A NoPreview where it has none, or nobody knows in time. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

const askMs = 1_500;
const triesMax = 2;

/**
 * Asks the name servers themselves: what a machine calls its neighbours (hosts files, search domains, mDNS) has no name here.
 * `servers` are address:port; those of the system where none is named.
 */
export function resolver(servers: readonly string[] = []): Resolve {
  return async (name, signal) => {
    const asking = new Resolver({ timeout: askMs, tries: triesMax });
    if (servers.length > 0) asking.setServers([...servers]);
    const cancel = () => asking.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      if (signal.aborted) throw new NoPreview("away", "out of time");
      const found = await Promise.allSettled([asking.resolve4(name), asking.resolve6(name)]);
      const addresses = found.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
      const failed = found.find((one) => one.status === "rejected" && !isNone(one.reason));
      if (addresses.length === 0 && failed === undefined) throw new NoPreview("unusable", "a name without an address");
      if (addresses.length === 0) throw new NoPreview("away", "a name that nobody tells");
      return addresses;
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  };
}

/** There is no such name, or it has no address of this kind; anything else is no answer. */
const isNone = (reason: unknown): boolean =>
  ["ENOTFOUND", "ENODATA", "EBADNAME"].includes(String((reason as NodeJS.ErrnoException).code));
