import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Instance, startInstance } from "../../tools/launcher/instance.ts";
import type { Replicas } from "../../tools/launcher/kinds.ts";
import { type Oracle, openOracle } from "../../tools/oracle.ts";
import type { Person } from "./person.ts";

/** Cheap passwords: these tests are not about hashing. */
const env = { PASSWORD_MEMORY_KIB: "1024" };

/** A whole system of a test file's own, on free ports, gone after it. */
export type System = {
  readonly instance: Instance;
  readonly edge: string;
  readonly oracle: Oracle;
  readonly dir: string;
  stop(): Promise<void>;
};

export async function startSystem(replicas: Partial<Replicas> = {}): Promise<System> {
  const dir = mkdtempSync(path.join(tmpdir(), "skein-"));
  const instance = await startInstance({ dir, demo: false, env, replicas });
  const oracle = openOracle({ url: instance.servers.mysqlUrl, deployment: "skein" });
  return {
    instance,
    edge: instance.edge,
    oracle,
    dir,
    async stop() {
      await oracle.close();
      await instance.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Everyone's feed, read through the front door page by page, is what the oracle says, in its order. */
export async function assertFeeds(oracle: Oracle, people: readonly Person[], pageSize: number): Promise<void> {
  for (const person of people) {
    assert.deepEqual(await person.feed(pageSize), await oracle.home(BigInt(person.id)), `feed of ${person.username}`);
  }
}
