import { ConnectError } from "@connectrpc/connect";
import { SpanKind } from "@opentelemetry/api";
import { type ChainableCommander, Redis as Client } from "ioredis";
import { unavailable } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import { isTraced, step } from "#lib/mesh/trace.ts";
import { add } from "./command.ts";
import { shareOf } from "./id.ts";
import { answersTo, openPipeline } from "./pipeline.ts";
import { createPulse } from "./pulse.ts";
import { createTracking, type Listener, type Tracking } from "./tracking.ts";

/** Keys of one bucket share a slot under Redis Cluster, so that scripts may touch several. 1,024 in a cluster. */
const buckets = 16;

/** A Lua script; loaded at every connect, called by its name's hash. */
export type Script = { readonly lua: string; sha?: string };

export type Redis = {
  /** A key in the bucket of `owner`. UNAVAILABLE where there is no trusted server. */
  key(family: string, owner: bigint): string;
  /** A key of the whole bucket that `owner` is in. */
  bucketKey(family: string, owner: bigint): string;
  /** A key that belongs to nobody: one for the deployment. */
  soleKey(family: string): string;
  bucketOf(owner: bigint): number;
  /** Whether the server answers this process. Who says no here does not believe, later, what the server held till then. */
  reached(): boolean;
  /**
   * Since when the server answers this process without a break, ms of the server's own clock: from its connection on, or
   * from the last time that `reached` said no. Another number after each time it was away.
   */
  since(): number;
  pipeline(): ChainableCommander;
  /** Runs a pipeline; the first command that failed fails it. UNAVAILABLE where Redis does not answer. */
  run(pipeline: ChainableCommander): Promise<unknown[]>;
  /** The same for commands of several askers: one that failed is an Error in its place. */
  runEach(pipeline: ChainableCommander): Promise<unknown[]>;
  call(
    pipeline: ChainableCommander,
    script: Script,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): void;
  /** The same for a script whose answer holds bytes. */
  callBuffer(
    pipeline: ChainableCommander,
    script: Script,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): void;
  /** Reads the values of many keys, as bytes, by one command that it adds to a pipeline. */
  values(pipeline: ChainableCommander, keys: readonly string[]): ChainableCommander;
  /** Opens a second way to the server, by which it tells a listener what changes. */
  track(listener: Listener): Tracking;
  ping(): Promise<void>;
  close(): void;
};

/** A command that takes longer has failed, though the server answers others. */
const commandMs = 1_000;

const options = {
  commandTimeout: commandMs,
  connectTimeout: 1_000,
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false, // Their keys are of the server that went away.
  retryStrategy: (times: number) => Math.min(50 * times, 500),
  lazyConnect: false,
};

/**
 * A process that did not hear of the server for so long may have missed that it was away: it begins anew, as after a lost
 * connection. Longer than one question may take, so only who was stopped, or starved, is meant.
 */
const lapseMs = 2_000;

/** Failures to reach Redis, by which a caller tells them from those of whoever it asked instead. */
const aways = new WeakSet<object>();

/** UNAVAILABLE: this process may not use Redis now. */
export const redisAway = (cause?: unknown): ConnectError => {
  const err = unavailable("redis", cause);
  aways.add(err);
  return err;
};

/** Whether something failed because this process could not use Redis: truth may be asked instead. */
export const isRedisAway = (reason: unknown): boolean => reason instanceof ConnectError && aways.has(reason);

/**
 * Opens the read-model server. Read models are trusted only from the server instance they were written to: its run id
 * is part of every key, so one that restarted with old data, or a replica that took over, is simply empty, and missing
 * means rebuild. Nothing queues while Redis is away, and nothing waits for one that hangs: it is asked all the time whether
 * it answers, and while it does not, calls fail at once.
 */
export function openRedis({
  url,
  deployment,
  scripts,
  log,
}: {
  url: string;
  deployment: string;
  scripts: readonly Script[];
  log: Log;
}): Redis {
  const client = new Client(url, options);
  const closing: (() => void)[] = [];
  let prefix: string | undefined;
  /** What the server's clock showed, at the earliest, when this process' own showed `askedMs`. */
  let serverMs = 0;
  let askedMs = 0;
  let deniedMs = 0;
  client.on("error", (reason) => log.debug("redis", { error: reason })); // The pulse tells it once.
  client.on("close", () => {
    prefix = undefined;
  });
  client.on("ready", () => {
    trust().catch((reason) => {
      log.warn("redis not trusted", { error: reason });
      if (client.status === "ready") client.disconnect(true);
    });
  });

  const pulse = createPulse({
    ...{ store: "redis", lapseMs, log },
    ask: () => ping(),
    // What was sent to a server that hangs is given up with its connection: it would not end an orderly goodbye either. One
    // that is being made is left to be.
    away() {
      if (prefix !== undefined) client.stream.destroy();
      prefix = undefined;
    },
  });

  async function trust(): Promise<void> {
    const sentMs = performance.now();
    const { run, timeMs } = await greet(client, scripts);
    [serverMs, askedMs] = [timeMs, sentMs];
    prefix = `${deployment}:${run}`;
  }

  const [together, failure] = [leavingTogether(client), failing(log)];
  const trusted = (): string => {
    if (prefix === undefined) throw redisAway();
    return prefix;
  };
  const ping = async () => {
    trusted();
    await client.ping();
  };
  const traced = (pipeline: ChainableCommander, send: () => Promise<unknown[]>): Promise<unknown[]> => {
    together();
    const sent = () => pulse.within(send).catch((reason) => Promise.reject(failure(reason)));
    if (!isTraced()) return sent();
    const commands = { "db.system.name": "redis", "db.operation.batch.size": pipeline.length };
    return step(`redis ×${pipeline.length}`, SpanKind.CLIENT, commands, sent);
  };
  const isUsable = () => pulse.up() && prefix !== undefined;

  return {
    ...keysUnder(trusted),
    reached() {
      if (isUsable()) return true;
      deniedMs = performance.now();
      return false;
    },
    since() {
      if (!isUsable()) throw redisAway();
      return serverMs + Math.max(0, deniedMs - askedMs);
    },
    pipeline: () => openPipeline(client),
    run: (pipeline) => traced(pipeline, () => exec(pipeline)),
    runEach: (pipeline) => traced(pipeline, () => execEach(pipeline, failure)),
    call(pipeline, script, keys, args) {
      if (script.sha === undefined) throw redisAway();
      add(pipeline, "evalsha", [script.sha, keys.length, ...keys, ...args], "text");
    },
    callBuffer(pipeline, script, keys, args) {
      if (script.sha === undefined) throw redisAway();
      add(pipeline, "evalsha", [script.sha, keys.length, ...keys, ...args], "bytes");
    },
    values: (pipeline, keys) => add(pipeline, "mget", keys, "bytes"),
    track(listener) {
      const { close, ...tracking } = createTracking({ client, url, options, name: earOf(deployment), listener, log });
      closing.push(close);
      const settled = () => pulse.within(tracking.settled).catch((reason) => Promise.reject(failure(reason)));
      return {
        ...tracking,
        isOn: () => isUsable() && tracking.isOn(),
        settled: () => (isTraced() ? step("redis heard", SpanKind.CLIENT, heard, settled) : settled()),
      };
    },
    ping,
    close() {
      for (const close of closing) close();
      pulse.close();
      client.disconnect();
    },
  };
}

const keysUnder = (prefix: () => string): Pick<Redis, "key" | "bucketKey" | "soleKey" | "bucketOf"> => ({
  key: (family, owner) => `${prefix()}:{${shareOf(owner, buckets)}}:${family}:${owner}`,
  bucketKey: (family, owner) => `${prefix()}:{${shareOf(owner, buckets)}}:${family}`,
  soleKey: (family) => `${prefix()}:${family}`,
  bucketOf: (owner) => shareOf(owner, buckets),
});

/** The name of the connections by which processes of a deployment hear of changes. */
export const earOf = (deployment: string): string => `${deployment}-ear`;

const heard = { "db.system.name": "redis" } as const;

/**
 * Has whatever is sent until the work at hand is done leave by one write: calls that came in one batch ask by as many pipelines, and
 * a system call each, here and at the server, costs more than their commands.
 */
function leavingTogether(client: Client): () => void {
  let corked: Client["stream"] | undefined;
  const leave = () => {
    corked?.uncork();
    corked = undefined;
  };
  return () => {
    if (corked !== undefined || client.status !== "ready") return;
    corked = client.stream;
    corked.cork();
    // After all that is resolved now has asked, and before anything else is read.
    queueMicrotask(() => process.nextTick(leave));
  };
}

/** How often it is told that Redis refuses what it is asked. */
const refusalMs = 1_000;

/** Brings the scripts, and asks for the run id and the server's clock. */
async function greet(client: Client, scripts: readonly Script[]): Promise<{ run: string; timeMs: number }> {
  const loading = scripts.map(async (script) => {
    script.sha = String(await client.script("LOAD", script.lua));
  });
  const [info, [seconds, micros]] = await Promise.all([client.info("server"), client.time(), ...loading]);
  const run = /^run_id:(\w{8})/m.exec(info)?.[1];
  if (run === undefined) throw new Error("redis does not tell its run id");
  return { run, timeMs: Number(seconds) * 1000 + Number(micros) / 1000 };
}

/** Whatever fails is as if Redis were away. What it answers with an error is told in the log besides, a line a second. */
function failing(log: Log): (reason: unknown) => Error {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (reason) => {
    if (reason instanceof Error && reason.name === "ReplyError" && performance.now() - toldMs > refusalMs) {
      toldMs = performance.now();
      log.error("redis refuses a command", { error: reason });
    }
    return redisAway(reason);
  };
}

async function exec(pipeline: ChainableCommander): Promise<unknown[]> {
  const answers = await answersTo(pipeline);
  for (const answer of answers) if (answer instanceof Error) throw answer;
  return answers;
}

/** Where nothing came back at all, every command failed of it; then the whole fails. */
async function execEach(pipeline: ChainableCommander, failure: (reason: unknown) => Error): Promise<unknown[]> {
  const answers = (await answersTo(pipeline)).map((answer) => (answer instanceof Error ? failure(answer) : answer));
  const [first] = answers;
  if (first instanceof Error && answers.every((one) => one instanceof Error)) throw first;
  return answers;
}
