import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Order, Outcome } from "./drive.ts";

export type Client = ReturnType<typeof startClient>;

/** The load generator, with a thread of its own. */
export function startClient() {
  const child = forked("main.ts");
  return {
    pid: child.pid ?? 0,
    async run(order: Order): Promise<Outcome> {
      child.send(order);
      const { outcome, failure } = (await messageOf(child)) as { outcome?: Outcome; failure?: string };
      if (outcome === undefined) throw new Error(`the load generator failed: ${failure}`);
      return outcome;
    },
    stop: () => void child.kill(),
  };
}

export type Bare = Awaited<ReturnType<typeof startBare>>;

/** A bare Koa that answers the bytes given last. */
export async function startBare() {
  const child = forked("bare.ts");
  const port = (await messageOf(child)) as number;
  return {
    pid: child.pid ?? 0,
    port,
    async answer(page: Uint8Array): Promise<void> {
      child.send(page);
      await messageOf(child);
    },
    stop: () => void child.kill(),
  };
}

const forked = (file: string): ChildProcess =>
  fork(join(import.meta.dirname, file), { serialization: "advanced", stdio: ["ignore", "ignore", "inherit", "ipc"] });

async function messageOf(child: ChildProcess): Promise<unknown> {
  const answered = new AbortController();
  const { signal } = answered;
  const ended = once(child, "exit", { signal }).then(() => {
    throw new Error("a process of the benchmark ended");
  });
  try {
    const [message] = (await Promise.race([once(child, "message", { signal }), ended])) as [unknown];
    return message;
  } finally {
    answered.abort();
  }
}
