//! What telemetry costs a feed read: `node bench/telemetry.ts [--reads N] [--rounds N] [--base DIR]`. Whole systems side by side,
//! without traces, as they come, and with every request traced, are read in turns; what is compared is the CPU of all their
//! processes. `--base` adds a checkout of another version, which knows nothing of any of it.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs, promisify } from "node:util";
import { register } from "../tests/support/person.ts";
import { findFreeBase } from "../tools/launcher/ports.ts";
import type { InstanceStatus } from "../tools/launcher/status.ts";

const { values } = parseArgs({
  options: {
    reads: { type: "string", default: "600" },
    rounds: { type: "string", default: "8" },
    base: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean" },
  },
  strict: true,
});
const reads = Number(values.reads);
const rounds = Number(values.rounds);
const atOnce = 8;
const people = 12;
const postsEach = 4;
const ticksPerSecond = 100;
const here = path.join(import.meta.dirname, "..");

type Variant = { readonly name: string; readonly checkout: string; readonly env: Readonly<Record<string, string>> };
type Running = Variant & { readonly dir: string; readonly status: InstanceStatus; readonly tokens: readonly string[] };

const variants: readonly Variant[] = [
  ...(values.base === undefined ? [] : [{ name: "base", checkout: path.resolve(values.base), env: {} }]),
  { name: "no traces", checkout: here, env: { OTEL_SDK_DISABLED: "true" } },
  { name: "default", checkout: here, env: {} },
  { name: "every request", checkout: here, env: { TRACE_PERCENT: "100" } },
];

if (values.help) console.log("node bench/telemetry.ts [--reads N] [--rounds N] [--base DIR] [--json]");
else await measure();

async function measure(): Promise<void> {
  const running: Running[] = [];
  try {
    for (const variant of variants) running.push(await start(variant));
    const spent: Spent = new Map(running.map(({ name }) => [name, []]));
    for (const one of running) await read(one, reads);
    for (let round = 0; round < rounds; round++) {
      // Every other round the other way about, so that nobody is always first.
      for (const one of round % 2 === 0 ? running : running.toReversed()) {
        const before = cpuMs(one);
        await read(one, reads);
        const after = cpuMs(one);
        spent
          .get(one.name)
          ?.push(new Map([...after].map(([name, ms]) => [name, (ms - (before.get(name) ?? 0)) / reads])));
      }
      console.error(`round ${round + 1} of ${rounds}`);
    }
    tell(spent);
  } finally {
    for (const one of running) await stop(one);
  }
}

/** Of each system, a round's milliseconds a read, by process. */
type Spent = Map<string, ReadonlyMap<string, number>[]>;

function tell(spent: Spent): void {
  const [first = []] = spent.values();
  const rows = [...spent].map(([name, each]) => {
    const ratio = median(each.map(sum)) / median(first.map(sum));
    const processes = [...(each[0]?.keys() ?? [])].map((of) => [
      of,
      digits(median(each.map((round) => round.get(of) ?? 0))),
    ]);
    return {
      name,
      cpuMsPerRead: digits(median(each.map(sum))),
      ratio: digits(ratio),
      ...Object.fromEntries(processes),
    };
  });
  if (values.json) {
    console.log(JSON.stringify(rows));
    return;
  }
  console.log(`CPU of a feed read of 20 posts over all processes, ms, median of ${rounds} rounds of ${reads} reads`);
  console.table(rows);
}

function digits(ms: number): number {
  return Number(ms.toFixed(3));
}

function sum(round: ReadonlyMap<string, number>): number {
  return [...round.values()].reduce((all, ms) => all + ms, 0);
}

async function start(variant: Variant): Promise<Running> {
  const dir = mkdtempSync(path.join(tmpdir(), "skein-bench-"));
  const base = String(await findFreeBase());
  const args = ["start", "--detach", "--no-demo", "--json", "--dir", dir, "--port-base", base];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [path.join(variant.checkout, "tools/launcher/main.ts"), ...args],
    { env: { ...process.env, PASSWORD_MEMORY_KIB: "1024", ...variant.env }, maxBuffer: 1024 * 1024 },
  );
  const status = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as InstanceStatus;
  const edge = String(status.edge);
  const cast = await Promise.all(Array.from({ length: people }, () => register(edge)));
  for (const one of cast) for (const other of cast) if (one !== other) await one.follow(other);
  for (const one of cast) for (let nth = 0; nth < postsEach; nth++) await one.post(`A post of some length, ${nth} 🧶`);
  console.error(`${variant.name} runs`);
  return { ...variant, dir, status, tokens: cast.map(({ token }) => token) };
}

async function stop({ checkout, dir }: Running): Promise<void> {
  await promisify(execFile)(process.execPath, [path.join(checkout, "tools/launcher/main.ts"), "stop", "--dir", dir]);
  rmSync(dir, { recursive: true, force: true });
}

/** User and system time of each process of a system: fields 14 and 15 of proc_pid_stat(5). */
function cpuMs({ status }: Running): ReadonlyMap<string, number> {
  const each = status.processes.map(({ name, pid }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return [name, ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond] as const;
  });
  return new Map(each);
}

async function read({ status, tokens }: Running, count: number): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: atOnce });
  let left = count;
  const lane = async () => {
    while (left-- > 0) await feed(`${status.edge}/v1/feed?pageSize=20`, String(tokens[left % tokens.length]), agent);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  agent.destroy();
}

function feed(url: string, token: string, agent: http.Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`the feed is ${response.statusCode}`));
      response.resume().once("end", resolve);
    });
    request.once("error", reject);
  });
}

function median(of: readonly number[]): number {
  return [...of].sort((a, b) => a - b)[Math.floor(of.length / 2)] ?? 0;
}
