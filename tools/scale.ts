import { readFileSync } from "node:fs";
import type { Result } from "../bench/suite/row.ts";
import { exitCodeOf, parsed, usage } from "./cli.ts";
import { whole } from "./progress.ts";
import { assumptions, type Values } from "./scale/assumptions.ts";
import { type Costs, type Model, modelOf, needed } from "./scale/model.ts";
import { exitCodes } from "./servers/failure.ts";

const names = Object.keys(assumptions) as (keyof typeof assumptions)[];

const help = `npm run scale -- <result.json> [options]     what 500 million users a day would take

Turns a result of npm run bench -- --json, with the profiles ${needed.join(", ")} through Envoy, into machines, Redis memory,
MySQL shards, JetStream partitions and network. What no measurement gives is an assumption, and each is a flag:

${names.map((name) => `${`  --${name} N`.padEnd(27)}${assumptions[name].meaning} (${whole1(assumptions[name].value)})`).join("\n")}

  --json                   the model and what it assumes, as JSON on stdout
  --help                   this page

Exit codes: 0 done, 1 failed, 2 wrong usage.`;

process.exitCode = await exitCodeOf("scale", async () => main());

function main(): number {
  const { values, positionals } = parsed({
    allowPositionals: true,
    options: {
      ...Object.fromEntries(names.map((name) => [name, { type: "string" } as const])),
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw usage("npm run scale wants one result of npm run bench");
  const given = values as Readonly<Record<string, unknown>>;
  const assumed = Object.fromEntries(names.map((name) => [name, numberOf(name, given[name])])) as Values;
  const { rows, commit } = JSON.parse(readFileSync(file, "utf8")) as Result;
  const model = modelOf(costsOf(rows), assumed);
  console.log(values.json ? JSON.stringify({ ...model, assumed, commit }) : page(model, assumed, commit));
  return exitCodes.ok;
}

function numberOf(name: keyof typeof assumptions, text: unknown): number {
  if (text === undefined) return assumptions[name].value;
  const value = Number(text);
  if (!(value > 0)) throw usage(`--${name} ${text} is not a number above 0`);
  return value;
}

/** Through Envoy where the result has it so: that is what would run. */
function costsOf(rows: Result["rows"]): Costs {
  const found = needed.map((name) => {
    const all = rows.filter(({ profile }) => profile === name);
    const row = all.find(({ envoy }) => envoy) ?? all[0];
    if (row === undefined) throw usage(`the result has no row of ${name}`);
    return [name, row.cpuUs];
  });
  return Object.fromEntries(found) as Costs;
}

function page({ cores, machines, redis, mysql, jetstream, network }: Model, assumed: Values, commit: string): string {
  const byCost = Object.entries(cores).sort(([, a], [, b]) => b - a);
  return [
    `${whole(assumed.users)} users a day, by the costs of ${commit}; the peak is ${assumed.peak} times the average`,
    "",
    `stateless   ${whole(machines)} machines of ${assumed["cores-per-machine"]} cores, ${whole1(assumed.utilisation * 100)} % used`,
    `            cores: ${byCost.map(([name, count]) => `${name} ${whole1(count)}`).join(" · ")}`,
    `Redis       ${whole(redis.memoryGiB)} GiB once; ${whole(redis.byMemory)} primaries for memory, ${whole(redis.byCpu)} for CPU; ${whole(redis.processes)} processes with replicas`,
    `MySQL       ${whole1(mysql.diskTiB)} TiB once; ${whole(mysql.byDisk)} shards for disk, ${whole(mysql.byCpu)} for CPU; ${whole(mysql.servers)} servers`,
    `JetStream   ${whole(jetstream.factsPerSecond)} facts/s at the peak; ${whole(jetstream.partitions)} partitions, ${whole1(jetstream.gbitPerSecond)} Gbit/s before replication`,
    `network     ${whole1(network.edgeGbit)} Gbit/s to clients, ${whole1(network.insideGbit)} Gbit/s inside`,
    "",
    "assumed     (each is a flag)",
    ...names.map((name) => `  ${name.padEnd(22)} ${whole1(assumed[name]).padStart(14)}  ${assumptions[name].meaning}`),
  ].join("\n");
}

/** A whole number as people read it; small ones with two digits. */
function whole1(value: number): string {
  return value >= 100 ? whole(value) : String(Number(value.toFixed(2)));
}
