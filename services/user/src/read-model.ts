import type { Log } from "#lib/mesh/log.ts";
import { authorVersions, encodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { inPassing } from "#lib/readmodel/passing.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { StoredUser, UserStore } from "./store.ts";

/** Author versions as readers see them. */
export type AuthorVersions = ReturnType<typeof userReadModel>;

type Version = Pick<StoredUser, "id" | "version">;

export function userReadModel(redis: Redis, store: UserStore, log: Log) {
  return {
    /** Tells readers what is old: called by whoever wrote it, after its commit, before its answer, and by the relay. */
    async apply(versions: readonly Version[]): Promise<void> {
      const pipeline = redis.pipeline();
      for (const { id, version } of versions) {
        authorVersions.put(redis, pipeline, { id, value: encodeAuthorVersion(version) });
      }
      if (versions.length > 0) await redis.run(pipeline);
    },

    /** Users from truth, their versions left in the read model. Without Redis the answer is the same. */
    load: (ids: readonly bigint[]): Promise<Map<bigint, StoredUser>> =>
      inPassing(
        { log, what: "author versions" },
        () => authorVersions.fill(redis, ids),
        () => store.byIds(ids),
        (keep, users) =>
          keep([...users.values()].map(({ id, version }) => ({ id, value: encodeAuthorVersion(version) }))),
      ),
  };
}
