import { type ChainableCommander, Redis as Client, type RedisOptions } from "ioredis";
import type { Log } from "#lib/mesh/log.ts";

/** What somebody who keeps values hears. */
export type Listener = {
  /** The value under a key changed, went, or is no longer followed. */
  changed(key: string): void;
  /** Nothing that was kept so far may be used. */
  lost(): void;
};

/** Which keys change, as their server tells it. */
export type Tracking = {
  /** False while changes may be missed: nothing may be kept, and nothing is. */
  isOn(): boolean;
  /** Has the changes of the keys of the next command of a pipeline told, each key's next one. */
  follow(pipeline: ChainableCommander): void;
  /** Until everything is told that was changed before this call, which is made once for all who keep. Rejects as a command would. */
  settled(): Promise<void>;
};

/** Where the server tells of changes: https://redis.io/docs/latest/develop/reference/client-side-caching/#two-connections-mode. */
const channel = "__redis__:invalidate";

/**
 * Client-side caching in two connections: what is read over `client` after `follow` is followed by the server, and an ear of this process
 * hears of its next change. The two are not in order with each other, so who uses what was kept asks first: on the ear, for a change is
 * told there before the writer hears that it is made, and the answer to a question comes after all that was told; and on `client`, for
 * once that is gone its keys are followed no more. So nothing kept is older than the question, and a lost connection or a server
 * that lost its keys empties everything.
 *
 * The server remembers who follows which key, at most `tracking-table-max-keys` (a million): beyond, it tells of changes that were none.
 */
export function createTracking({
  client,
  url,
  options,
  name,
  listener,
  log,
}: {
  readonly client: Client;
  readonly url: string;
  readonly options: Omit<RedisOptions, "replyMapping">;
  /** As the server lists the ear. */
  readonly name: string;
  readonly listener: Listener;
  readonly log: Log;
}): Tracking & { readonly close: () => void } {
  // The old protocol: in the new one the library passes over what the server tells.
  const ear = new Client(url, { ...options, connectionName: name, protocol: 2, autoResubscribe: false });
  let on = false;
  /** Of the ear, once it listens: then it is asked nothing else. */
  let earId: number | undefined;
  let isTold = false;
  /** Grows with each loss: what began before one does not end as if there had been none. */
  let losses = 0;
  /** Both connections become ready, maybe at once, and each time that is one beginning. */
  let beginning = Promise.resolve();

  const lose = (): void => {
    losses++;
    on = false;
    listener.lost();
  };

  /** Where both ways are open, has the server tell this ear. */
  async function begin(): Promise<void> {
    if (on || client.status !== "ready" || ear.status !== "ready") return;
    const before = losses;
    if (earId === undefined) {
      const id = await ear.client("ID");
      await ear.subscribe(channel);
      earId = id;
    }
    await client.client("TRACKING", "ON", "REDIRECT", earId, "OPTIN");
    // Of whichever connections that was: others are asked anew.
    if (before !== losses) throw new Error("a connection was lost meanwhile");
    on = true;
    isTold = false;
  }
  const attempt = (): void => {
    beginning = beginning.then(begin).catch((reason: unknown) => {
      if (!isTold) log.warn("redis does not tell of changes", { error: reason });
      isTold = true;
      earId = undefined;
      // It is tried again with the next connection.
      if (ear.status === "ready") ear.disconnect(true);
    });
  };

  ear.on("error", (reason) => log.debug("redis", { error: reason }));
  ear.on("messageBuffer", (_channel: Buffer, keys: readonly Buffer[] | null) => {
    if (keys === null) listener.lost();
    else for (const key of keys) listener.changed(key.toString("latin1"));
  });
  ear.on("close", () => {
    earId = undefined;
  });
  for (const side of [client, ear]) {
    side.on("close", lose);
    side.on("ready", attempt);
  }
  if (client.status === "ready") attempt();

  return {
    isOn: () => on,
    follow(pipeline) {
      pipeline.client("CACHING", "YES");
    },
    async settled() {
      await Promise.all([ear.ping(), client.ping()]);
    },
    close() {
      client.off("close", lose);
      client.off("ready", attempt);
      ear.disconnect();
    },
  };
}
