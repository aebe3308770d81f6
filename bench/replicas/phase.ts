import { setTimeout as sleep } from "node:timers/promises";
import { disturb } from "../../tests/support/disturb.ts";
import type { Edges } from "../../tests/support/edges.ts";
import type { Ledger } from "../../tests/support/ledger.ts";
import { drive, type Traffic } from "../../tests/support/traffic.ts";
import { type Kind, readKinds } from "../../tools/launcher/kinds.ts";
import { requestRestart } from "../../tools/launcher/requests.ts";
import type { Progress } from "../../tools/progress.ts";
import { reasonsOf, spread } from "./report.ts";

export const modes = ["kill", "term", "roll"] as const;
export type Mode = (typeof modes)[number];

/** What happened while one kind of process was disturbed. */
export type Phase = {
  readonly kind: Kind | "all";
  readonly mode: Mode;
  readonly disturbances: number;
  readonly requests: number;
  readonly failed: number;
  readonly failedOver: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly reasons: readonly string[];
};

const lookAgainMs = 20;
/** A process that just started has cold code and connections: the other one goes only when it carries its share. */
const settleMs = 4_000;

export async function runPhase(o: {
  kind: Kind | "all";
  mode: Mode;
  dir: string;
  client: Edges;
  ledger: Ledger;
  requests: number;
  rate: number;
  disturbances: number;
  progress: Progress;
}): Promise<Phase> {
  const traffic = drive({ edges: o.client, ledger: o.ledger, rate: o.rate });
  const done = disturbAll(o, traffic);
  const ended = { so: false };
  void done.finally(() => {
    ended.so = true;
  });
  while (!ended.so || traffic.done() < o.requests) {
    const what = `${o.mode} ${o.kind} (${traffic.failures.length} failed)`;
    o.progress.update({ what, done: traffic.done(), total: o.requests });
    await sleep(lookAgainMs);
  }
  await traffic.stop();
  const count = await done;
  return {
    kind: o.kind,
    mode: o.mode,
    disturbances: count,
    requests: traffic.done(),
    failed: traffic.failures.length,
    failedOver: traffic.failedOver(),
    ...spread(traffic.tookMs),
    reasons: reasonsOf(traffic.failures, o.dir),
  };
}

/** Spread over the requests: the next one only when the one before is back, and not before its share has been asked. */
async function disturbAll(
  { kind, mode, dir, requests, disturbances, progress }: Parameters<typeof runPhase>[0],
  traffic: Traffic,
): Promise<number> {
  const until = async (count: number) => {
    while (traffic.done() < count) await sleep(lookAgainMs);
  };
  if (kind === "all" || mode === "roll") {
    await until(requests / 20);
    const rolled = await requestRestart(dir, readKinds("all"), (line) => progress.say(line));
    return rolled.length;
  }
  const signal = mode === "kill" ? "SIGKILL" : "SIGTERM";
  for (let nth = 0; nth < disturbances; nth++) {
    await until(((nth + 0.5) * requests) / disturbances);
    await disturb({ dir, kind, nth, signal });
    await sleep(settleMs);
  }
  return disturbances;
}
