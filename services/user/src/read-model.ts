import type { Log } from "#lib/mesh/log.ts";
import { authorVersions, encodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import type { Redis } from "#lib/storage/redis.ts";
import type { StoredUser, UserStore } from "./store.ts";

/** Author versions as readers see them. */
export type AuthorVersions = ReturnType<typeof userReadModel>;

export function userReadModel(redis: Redis, store: UserStore, log: Log) {
  return {
    /** Users from truth, their versions left in the read model. Without Redis the answer is the same. */
    async load(ids: readonly bigint[]): Promise<Map<bigint, StoredUser>> {
      const keep = await authorVersions.fill(redis, ids).catch(() => undefined);
      const users = await store.byIds(ids);
      const found = [...users.values()].map(({ id, version }) => ({ id, value: encodeAuthorVersion(version) }));
      await keep?.(found).catch((reason) => log.warn("author versions not kept", { error: reason }));
      return users;
    },
  };
}
