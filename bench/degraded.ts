import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { ask, type Person, register } from "../tests/support/person.ts";
import { type System, startSystem } from "../tests/support/system.ts";

const help = `node bench/degraded.ts [--followees 20] [--reads 400] [--workers 4] [--json]

What a server that is away costs, on a system of its own. Feeds of people with --followees followings, read --reads times by
--workers at once: as usual, with Redis ended, with Redis stopped (SIGSTOP). Creates, one after the other, from the moment in
which MySQL ends or is stopped: how long until their 503. Milliseconds; "failed" are reads not answered 200.`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean" },
    json: { type: "boolean" },
    followees: { type: "string", default: "20" },
    reads: { type: "string", default: "400" },
    workers: { type: "string", default: "4" },
  },
});

const postsEach = 10;
const refusals = 10;

if (values.help) console.log(help);
else await main();

async function main(): Promise<void> {
  const system = await startSystem();
  try {
    const people = await cast(system.edge, Number(values.followees) + 1);
    const result: Record<string, unknown> = { usual: await reading(system, people) };
    for (const [word, away] of ways(system)) {
      await away("redis", async () => {
        result[`redis ${word}`] = await reading(system, people);
      });
      await away("mysql", async () => {
        result[`mysql ${word}`] = await refused(system, people[0] as Person);
      });
      await people[0]?.post("back");
    }
    console.log(values.json ? JSON.stringify(result) : result);
  } finally {
    await system.stop();
  }
}

async function cast(edge: string, count: number): Promise<Person[]> {
  const people: Person[] = [];
  while (people.length < count) people.push(await register(edge));
  for (const person of people) for (let nth = 0; nth < postsEach; nth++) await person.post(`${nth}`);
  for (const reader of people.slice(0, Number(values.workers)))
    for (const other of people) if (other !== reader) await reader.follow(other);
  return people;
}

type Away = (name: string, meanwhile: () => Promise<void>) => Promise<void>;

const ways = ({ instance }: System): readonly (readonly [string, Away])[] => [
  ["ended", instance.without],
  [
    "stopped",
    async (name, meanwhile) => {
      instance.kill(name, "SIGSTOP");
      await meanwhile().finally(() => instance.kill(name, "SIGCONT"));
    },
  ],
];

async function reading({ edge }: System, people: readonly Person[]) {
  const times: number[] = [];
  let failed = 0;
  const each = Math.ceil(Number(values.reads) / Number(values.workers));
  const worker = async ({ token }: Person) => {
    for (let nth = 0; nth < each; nth++) {
      const sinceMs = performance.now();
      const { status } = await ask(edge, "GET", "/v1/feed", { token });
      times.push(performance.now() - sinceMs);
      if (status !== 200) failed++;
    }
  };
  await Promise.all(people.slice(0, Number(values.workers)).map(worker));
  return { ...quantiles(times), failed };
}

async function refused({ edge }: System, { token }: Person) {
  const times: number[] = [];
  const statuses = new Set<number>();
  while (times.length < refusals) {
    const sinceMs = performance.now();
    const { status } = await ask(edge, "POST", "/v1/posts", { token, body: { text: "no" }, key: randomUUID() });
    times.push(performance.now() - sinceMs);
    statuses.add(status);
  }
  return { firstMs: Math.round(times[0] ?? 0), ...quantiles(times.slice(1)), statuses: [...statuses] };
}

function quantiles(times: number[]) {
  const sorted = times.sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
