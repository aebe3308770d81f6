import { resolve } from "node:path";
import type { Env } from "../servers/command.ts";
import { type Extra, onceEach, type Replicas } from "./kinds.ts";
import { findFreeBase, portsFrom } from "./ports.ts";
import { type Instance, type InstanceOptions, Run } from "./run.ts";

export type { Instance } from "./run.ts";

/** For tests: an instance in a directory, on ports that nobody has. */
export async function startInstance(options: {
  dir: string;
  portBase?: number;
  env?: Env;
  demo?: boolean;
  serversOnly?: boolean;
  deployment?: string;
  /** How many of each process; one of each by default. */
  replicas?: Partial<Replicas>;
  /** What runs beside it; nothing by default. */
  extras?: readonly Extra[];
  /** Processes call each other without the mesh Envoy; through it by default. */
  direct?: boolean;
  say?: (line: string) => void;
}): Promise<Instance> {
  const replicas = { ...onceEach, ...options.replicas };
  const launcher = makeLauncher({
    dir: options.dir,
    ports: portsFrom(options.portBase ?? (await findFreeBase(replicas)), replicas),
    env: { ...process.env, ...options.env },
    deployment: options.deployment ?? "skein",
    demo: options.demo ?? false,
    serversOnly: options.serversOnly ?? false,
    extras: options.extras ?? [],
    direct: options.direct ?? false,
    say: options.say ?? (() => undefined),
  });
  // A test that is interrupted leaves nothing running.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void launcher.stop().finally(() => process.exit(1)));
  }
  return launcher.start();
}

/** `stop` works at any moment, also while `start` is under way, which then fails. */
export function makeLauncher(options: InstanceOptions): { start(): Promise<Instance>; stop(): Promise<void> } {
  const run = new Run({ ...options, dir: resolve(options.dir) });
  return {
    async start() {
      try {
        return await run.start();
      } catch (error) {
        await run.stop();
        throw error;
      }
    },
    stop: () => run.stop(),
  };
}
