import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openEdges } from "../tests/support/edges.ts";
import { caughtUp } from "../tests/support/faults.ts";
import { openLedger } from "../tests/support/ledger.ts";
import { startInstance } from "../tools/launcher/instance.ts";
import { type Kind, readKinds, readReplicas } from "../tools/launcher/kinds.ts";
import { readState } from "../tools/launcher/state.ts";
import { createProgress } from "../tools/progress.ts";
import { type Mode, modes, type Phase, runPhase } from "./replicas/phase.ts";
import { machine, table } from "./replicas/report.ts";

const help = `node bench/replicas.ts [--kinds all] [--modes kill,term,roll] [--requests 10000] [--rate 250] [--disturbances 5]
                       [--replicas all=2] [--people 8] [--dir DIR] [--json]

Whether a request fails while replicas die. People read and write at --rate (an open loop, half of it writes with a key
or by state) while one replica after the other is ended and comes back, --disturbances times over --requests requests,
for each kind of process in turn; a client goes to the second front door only when a connection fails or breaks off.
  kill   kill -9
  term   SIGTERM
  roll   npm run restart -- all, once
Without --dir it starts an instance of its own. A failed request is any but a 2xx, or a feed without a post that was
acknowledged before; a difference is a post that is there twice or not at all, or a follow that is not as its writer was
told. Exit code 1 where there is one. A minute: --kinds feed --modes kill --requests 6000.`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    json: { type: "boolean" },
    kinds: { type: "string", default: "all" },
    modes: { type: "string", default: "kill,term,roll" },
    requests: { type: "string", default: "10000" },
    rate: { type: "string", default: "250" },
    disturbances: { type: "string", default: "5" },
    replicas: { type: "string", default: "all=2" },
    people: { type: "string", default: "8" },
    dir: { type: "string" },
  },
});

if (values.help) console.log(help);
else process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  const wanted = values.modes.split(",").map(modeOf);
  const kinds = readKinds(values.kinds);
  const { dir, stop } = await instance();
  const state = readState(dir);
  const edges = state?.edges ?? (state?.edge === undefined ? [] : [state.edge]);
  const mysqlUrl = state?.servers?.mysqlUrl ?? "";
  const progress = createProgress();
  const client = openEdges(edges);
  try {
    const ledger = await openLedger(edges[0] ?? "", Number(values.people));
    const steps = wanted.flatMap((mode): { mode: Mode; kind: Kind | "all" }[] =>
      mode === "roll" ? [{ mode, kind: "all" }] : kinds.map((kind) => ({ mode, kind })),
    );
    const phases: Phase[] = [];
    for (const step of steps) {
      const phase = await runPhase({ ...step, ...sizes(), dir, client, ledger, progress });
      phases.push(phase);
      progress.say(table([phase]));
    }
    progress.say("waiting for the last fan-out, then holding everything against MySQL");
    await caughtUp({ mysqlUrl });
    const differences = await ledger.differences(mysqlUrl);
    const failed = phases.reduce((sum, phase) => sum + phase.failed, 0);
    const result = { phases, failed, differences, writes: ledger.size(), ...machine() };
    console.log(values.json ? JSON.stringify(result) : `${table(phases)}\n\n${differences.length} differences`);
    for (const line of differences.slice(0, 20)) progress.say(line);
    return failed + differences.length === 0 ? 0 : 1;
  } finally {
    client.close();
    await stop();
  }
}

function sizes() {
  return {
    requests: Number(values.requests),
    rate: Number(values.rate),
    disturbances: Number(values.disturbances),
  };
}

function modeOf(text: string): Mode {
  const found = modes.find((mode) => mode === text);
  if (found === undefined) throw new Error(`--modes ${text}: there are ${modes.join(", ")}`);
  return found;
}

async function instance(): Promise<{ dir: string; stop: () => Promise<void> }> {
  if (values.dir !== undefined) return { dir: resolve(values.dir), stop: async () => undefined };
  const dir = mkdtempSync(join(tmpdir(), "skein-"));
  const replicas = readReplicas(values.replicas);
  const env = { PASSWORD_MEMORY_KIB: "1024" };
  const started = await startInstance({ dir, replicas, env, say: (line) => console.error(line) });
  return {
    dir,
    async stop() {
      await started.stop();
      if (process.exitCode === 0) rmSync(dir, { recursive: true, force: true });
      else console.error(`the logs are in ${dir}/logs`);
    },
  };
}
