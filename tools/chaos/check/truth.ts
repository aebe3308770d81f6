import { type Db, openMysql } from "#lib/storage/mysql.ts";
import { type Service, services } from "../../launcher/kinds.ts";

/**
 * What a checker found: an acknowledged write, fact or effect that is not there; one that is there twice; facts out of
 * order; or a read model that is not the truth, which may still become so.
 */
export type Finding = { readonly kind: "lost" | "doubled" | "order" | "stale"; readonly text: string };

/** The schema of each service. */
export type Truth = Readonly<Record<Service, Db>> & { close(): Promise<void> };

export function openTruth({ url, deployment }: { url: string; deployment: string }): Truth {
  const dbs = Object.fromEntries(
    services.map((noun) => [noun, openMysql({ url, database: `${deployment}_${noun}` })]),
  ) as Record<Service, Db>;
  return { ...dbs, close: async () => void (await Promise.all(Object.values(dbs).map((db) => db.close()))) };
}
