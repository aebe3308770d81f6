import { promisify } from "node:util";
import { ServerCredentials } from "@grpc/grpc-js";
import { Health } from "#gen/grpc/health/v1/health_pb.ts";
import { createHealth } from "./health.ts";
import type { Log } from "./log.ts";
import { createServer, type Hosted, host } from "./serve.ts";
import type { MeshTokens } from "./token.ts";

/** Work that goes on beside the RPCs: a relay, a consumer, a sweeper. Ends soon after its signal aborts. */
export type Loop = (signal: AbortSignal) => Promise<void>;

export type Running = { readonly port: number; stop(): Promise<void> };

type Options = {
  readonly log: Log;
  readonly tokens: MeshTokens;
  readonly host: string;
  readonly port: number;
  readonly services: readonly Hosted[];
  readonly loops: readonly Loop[];
  /** Rejects while the process could not do its work. */
  readonly ready: () => Promise<unknown>;
  /** How long callers get to notice that we are leaving before we refuse new work. */
  readonly drainMs: number;
  /** Closed last, in this order. */
  readonly close: readonly (() => unknown)[];
};

/**
 * Calls in flight get this long to finish: more than the 2 or 3 s that most may take, and with the wait before it (2.5 s)
 * less than the 8 s after which the launcher kills.
 */
const finishMs = 5_000;

/**
 * The life of a service: serve, and on SIGTERM say not ready → wait → GOAWAY → finish what is in flight → stop the
 * loops → close. A loop that throws is a bug and ends the process, so that its supervisor starts a clean one.
 */
export async function run(options: Options): Promise<Running> {
  const { log, tokens, services, loops, ready, close } = options;
  const health = createHealth(ready, log);
  const server = createServer([...services, host(Health, health.impl, true)], { log, tokens });
  await health.probe();
  const port = await promisify(server.bindAsync.bind(server))(
    `${options.host}:${options.port}`,
    ServerCredentials.createInsecure(),
  );

  const ending = new AbortController();
  const looping = loops.map((loop) => loop(ending.signal));
  for (const loop of looping) loop.catch((reason) => crash(log, reason));

  let stopping: Promise<void> | undefined;
  const drain = async () => {
    health.drain();
    await new Promise((done) => setTimeout(done, options.drainMs));
    const force = setTimeout(() => server.forceShutdown(), finishMs);
    await promisify(server.tryShutdown.bind(server))().catch((reason: unknown) =>
      log.warn("calls cut short", { reason }),
    );
    clearTimeout(force);
    ending.abort();
    await Promise.allSettled(looping);
    health.close();
    for (const shut of close) await shut();
  };
  const stop = () => {
    stopping ??= drain();
    return stopping;
  };
  log.info("ready", { port });
  return { port: port ?? options.port, stop };
}

/** Ties a running service to this process: SIGTERM and SIGINT drain it, a stray error ends it. */
export function untilSignalled(running: Running, log: Log): void {
  const leave = (signal: string) => {
    log.info("draining", { signal });
    running.stop().then(
      () => process.exit(0),
      (reason) => crash(log, reason),
    );
  };
  process.once("SIGTERM", leave).once("SIGINT", leave);
  process.once("uncaughtException", (reason) => crash(log, reason));
  process.once("unhandledRejection", (reason) => crash(log, reason));
}

function crash(log: Log, reason: unknown): void {
  log.error("crashed", { error: reason });
  process.exitCode = 1;
  setImmediate(() => process.exit(1));
}
