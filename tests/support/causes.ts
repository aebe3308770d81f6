import { connect as openSocket, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import { connect, headers } from "nats";
import { kindOf } from "../../tools/launcher/kinds.ts";
import { readState } from "../../tools/launcher/state.ts";
import { redisCommand } from "./faults.ts";
import type { Person } from "./person.ts";
import type { System } from "./system.ts";

/** What makes alerts fire, done to a system that runs. Each ends with its signal, and leaves the system as it was. */
export type Cause = (system: System, people: readonly Person[], signal: AbortSignal) => Promise<void>;

/** One more than a BFF answers at once. */
const tooMany = 1_001;

/** Requests whose bodies never come: each holds a place of the BFF. */
export const slowClients: Cause = async ({ dir }, _people, signal) => {
  const { port } = new URL(addressOf(dir, "bff"));
  const head = "POST /v1/auth/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  const sockets: Socket[] = [];
  while (!signal.aborted) {
    for (let more = sockets.length === 0 ? tooMany : 1; more > 0; more--) {
      const socket = openSocket(Number(port), "127.0.0.1");
      socket.on("error", () => {});
      socket.write(`${head}Content-Length: 10\r\n\r\n`);
      sockets.push(socket);
    }
    await pause(100, signal);
  }
  for (const socket of sockets) socket.destroy();
};

/** A process that is stopped three quarters of the time. */
export const stutter =
  (kind: string): Cause =>
  async ({ instance }, _people, signal) => {
    while (!signal.aborted) {
      instance.kill(kind, "SIGSTOP");
      await pause(300, signal);
      instance.kill(kind, "SIGCONT");
      await pause(100, signal);
    }
  };

/** Read models that are lost as soon as they are there. */
export const flushes: Cause = async ({ instance }, people, signal) => {
  while (!signal.aborted) {
    await redisCommand(instance.servers.redisUrl, "FLUSHALL");
    await Promise.all(people.map((person) => person.feedPage(20)));
  }
};

/** Timelines that lose their newest post, and people who read them. */
export const losses: Cause = async ({ instance }, people, signal) => {
  const lose = "for _, key in ipairs(redis.call('KEYS', '*:tl:*')) do redis.call('LPOP', key) end";
  while (!signal.aborted) {
    await redisCommand(instance.servers.redisUrl, "EVAL", lose, "0");
    await Promise.all(people.map((person) => person.feedPage(20)));
    await pause(2_000, signal);
  }
};

/** A fact that nobody can read, as the next one of a shard in which nobody here writes. */
export const poison: Cause = async ({ instance }, people, signal) => {
  const used = new Set(people.map(({ id }) => Number(BigInt(id) % 64n)));
  const shard = Array.from({ length: 64 }, (_, nth) => nth).find((nth) => !used.has(nth));
  const { username, password, host } = new URL(instance.servers.natsUrl);
  const nats = await connect({ servers: host, user: username, pass: password });
  const about = headers();
  const fields = { Aggregate: "post:poison", Version: "1", Actor: "0", Position: "1", Incarnation: "1" };
  for (const [name, value] of Object.entries(fields)) about.set(`Skein-${name}`, value);
  about.set("Nats-Msg-Id", "1.poison");
  await nats.jetstream().publish(`skein.skein.post.v1.PostCreated.${shard}`, Buffer.from("ffff", "hex"), {
    headers: about,
  });
  await nats.close();
  await pause(60_000, signal);
};

/** A table that is locked most of the time, and more reads at once than a service has connections: creates share theirs. */
export const locks: Cause = async ({ instance, edge }, people, signal) => {
  const connection = await mysql.createConnection({ uri: instance.servers.mysqlUrl });
  const creating: Promise<unknown>[] = [];
  const [person] = people as [Person];
  const { id } = await person.post("read by many");
  const headers = { authorization: `Bearer ${person.token}` };
  while (!signal.aborted) {
    await connection.query("LOCK TABLES skein_post.post WRITE");
    for (let nth = 0; nth < 14; nth++) {
      creating.push(person.post(`late ${nth}`).catch(() => {}));
      creating.push(fetch(`${edge}/v1/posts/${id}`, { headers }).catch(() => {}));
    }
    await pause(1_500, signal);
    await connection.query("UNLOCK TABLES");
    await pause(1_000, signal);
  }
  await connection.end();
  await Promise.all(creating);
};

/** Redis that hangs most of the time, while people post: posts are answered, and their relay shows them later. */
export const silence: Cause = async ({ instance }, people, signal) => {
  while (!signal.aborted) {
    instance.kill("redis", "SIGSTOP");
    await Promise.all(people.map((person) => person.post("unseen").catch(() => {})));
    instance.kill("redis", "SIGCONT");
    await pause(200, signal);
  }
};

/** Beyond this many posts that are not fanned out an alert is due. */
const lagging = 260;

/** NATS and graph hang, while people post and follow: nothing is published, heard or fanned out, and follows fail. */
export const hanging: Cause = async ({ instance, edge }, people, signal) => {
  for (const name of ["nats", "graph"]) instance.kill(name, "SIGSTOP");
  const [follower, ...others] = people as [Person, ...Person[]];
  const following = async () => {
    while (!signal.aborted) {
      for (const other of others) {
        const headers = { authorization: `Bearer ${follower.token}` };
        await fetch(`${edge}/v1/users/${other.id}/follow`, { method: "PUT", headers }).catch(() => {});
        await pause(100, signal);
      }
    }
  };
  const posting = async (person: Person) => {
    for (let nth = 0; nth < lagging / people.length && !signal.aborted; nth++) await person.post(`unheard ${nth}`);
  };
  await Promise.all([following(), ...people.map(posting), pause(60_000, signal)]);
  for (const name of ["nats", "graph"]) instance.kill(name, "SIGCONT");
};

const pause = (ms: number, signal: AbortSignal): Promise<unknown> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

const addressOf = (dir: string, kind: string): string =>
  readState(dir)?.processes.find(({ name }) => kindOf(name) === kind)?.address ?? "";
