import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis as Client, type RedisOptions } from "ioredis";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { createTracking } from "../tracking.ts";

const options: Omit<RedisOptions, "replyMapping"> = {
  commandTimeout: 1_000,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 1,
  retryStrategy: () => 20,
};

let place: Scratch;
/** Whoever writes, and ends connections. */
let admin: Client;
before(async () => {
  place = scratch(process.env);
  admin = new Client(place.redisUrl);
});
after(async () => {
  admin?.disconnect();
  await place?.close();
});

/** Values that are followed, and what was heard of them. */
async function following(name: string) {
  const client = new Client(place.redisUrl, { ...options, connectionName: `${name}-data` });
  client.on("error", () => {});
  const kept = new Set<string>();
  const { deployment, redisUrl: url, log } = place;
  const tracking = createTracking({
    ...{ client, url, options, log, name: `${name}-ear` },
    listener: { changed: (key) => kept.delete(key), lost: () => kept.clear() },
  });
  await until("changes are told", async () => tracking.isOn());
  return {
    client,
    tracking,
    kept,
    /** Reads a key that nobody wrote so far, and keeps it if its change will be told. */
    async follow(nth: number): Promise<string> {
      const key = `${deployment}:tracked:${nth}`;
      const pipeline = client.pipeline();
      if (!tracking.isOn()) return key;
      kept.add(key);
      tracking.follow(pipeline);
      pipeline.get(key);
      await pipeline.exec().catch(() => kept.delete(key));
      return key;
    },
    close() {
      tracking.close();
      client.disconnect();
    },
  };
}

async function idsOf(...names: string[]): Promise<string[]> {
  const lines = String(await admin.client("LIST")).split("\n");
  const mine = lines.filter((line) => names.some((name) => line.includes(` name=${name} `)));
  return mine.map((line) => /^id=(\d+)/.exec(line)?.[1] ?? "");
}

test("nothing that is followed changes unheard, however often both connections end", async () => {
  const name = `${place.deployment}-a`;
  const { tracking, kept, follow, close } = await following(name);
  try {
    let nth = 0;
    for (let round = 0; round < 12; round++) {
      const followed = [await follow(nth++)];
      for (const id of await idsOf(`${name}-ear`, `${name}-data`)) await admin.client("KILL", "ID", id);
      // From the first moment on, and while the second connection becomes ready: until a fair number was followed.
      await until("values are followed again", async () => {
        if (tracking.isOn()) followed.push(await follow(nth++));
        return followed.filter((key) => kept.has(key)).length >= 20;
      });
      await Promise.all(followed.map((key) => admin.set(key, "new", "EX", 60)));
      const isSettled = await tracking.settled().then(
        () => true,
        () => false,
      );
      if (isSettled) assert.deepEqual([...kept], [], `round ${round}`);
    }
  } finally {
    close();
  }
});

test("who lost the connection that is followed, and has not noticed, has no answer", async () => {
  const name = `${place.deployment}-b`;
  const { client, tracking, kept, follow, close } = await following(name);
  try {
    const key = await follow(-1);
    await tracking.settled();
    assert.deepEqual([...kept], [key]);
    client.stream.pause();
    for (const id of await idsOf(`${name}-data`)) await admin.client("KILL", "ID", id);
    await admin.set(key, "new", "EX", 60);
    await assert.rejects(tracking.settled());
    client.stream.resume();
    await until("the loss is noticed", async () => kept.size === 0);
    await until("changes are told", async () => tracking.isOn());
    await tracking.settled();
  } finally {
    close();
  }
});
