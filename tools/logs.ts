import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { countOf, exitCodeOf, instanceDir, momentOf, parsed, usage } from "./cli.ts";
import { kindOf } from "./launcher/kinds.ts";
import { type Entry, levels } from "./logs/entry.ts";
import { openReader, processesIn, type Reader } from "./logs/files.ts";
import { asJson, render } from "./logs/render.ts";
import { exitCodes, LaunchFailure } from "./servers/failure.ts";

const help = `npm run logs -- [processes] [options]

What the processes of an instance say, in the order of time: services and bff (JSON), and the servers in their own words.
Processes are names as npm run status shows them, such as feed, post-2 or mysql,nats; all by default.

  -f, --follow     go on with what is added, until Ctrl-C
  --level LEVEL    this and graver: debug, info, warn, error (default debug)
  --trace ID       only lines of this trace (8 digits of it or more)
  --since WHEN     from then on: 90s, 5m, 2h, 1d ago, or a time such as 2026-11-22T09:45
  --lines N        the last N lines (default 200 where neither --since nor --trace is given)
  --dir DIR        the instance (default .skein, or SKEIN_DIR)
  --json           a line of JSON for each: time, level, name, msg, and its fields

A log holds 10 MiB, and 10 MiB before that; what is older is gone. Lines are the last 100,000 that fit at most.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing was ever started there.`;

const pollMs = 200;
const linesDefault = 200;
const linesMax = 100_000;
/** Where only the last lines are wanted, this much of each log has them. */
const tailBytes = 1024 * 1024;

// Whoever reads may stop reading, as `head` does.
process.stdout.on("error", () => process.exit(exitCodes.ok));
process.exitCode = await exitCodeOf("logs", main);

async function main(): Promise<number> {
  const { values, positionals } = parse();
  if (values.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const dir = join(instanceDir(values.dir, process.env), "logs");
  if (!existsSync(dir)) {
    throw new LaunchFailure(`no logs in ${dir}; npm start writes them`, { exitCode: exitCodes.notRunning });
  }
  const wanted = positionals.flatMap((names) => names.split(",")).filter((name) => name !== "");
  const isWanted = (name: string) => wanted.length === 0 || wanted.includes(name) || wanted.includes(kindOf(name));
  const known = processesIn(dir);
  const strange = wanted.find((name) => !known.some((process) => process === name || kindOf(process) === name));
  if (strange !== undefined) throw usage(`no log of "${strange}"; there are ${known.join(", ")}`);

  const fits = filterOf(values);
  const print = (entry: Entry) => process.stdout.write(`${lineOf(entry, values.json ?? false, known)}\n`);
  const isAll = values.since !== undefined || values.trace !== undefined || values.lines !== undefined;
  const readers = new Map<string, Reader>();
  const read = (bytes: number): Entry[] => {
    for (const name of processesIn(dir).filter(isWanted)) {
      if (!readers.has(name)) readers.set(name, openReader(dir, name, bytes));
    }
    const entries = [...readers.values()].flatMap((reader) => reader.read()).filter(fits);
    return entries.sort((left, right) => left.time - right.time);
  };
  const lines =
    values.lines === undefined ? (isAll ? linesMax : linesDefault) : countOf("lines", values.lines, linesMax);
  for (const entry of read(isAll ? Number.POSITIVE_INFINITY : tailBytes).slice(-lines)) print(entry);
  while (values.follow) {
    await sleep(pollMs);
    for (const entry of read(Number.POSITIVE_INFINITY)) print(entry);
  }
  return exitCodes.ok;
}

function parse() {
  const options = {
    follow: { type: "boolean", short: "f" },
    level: { type: "string" },
    trace: { type: "string" },
    since: { type: "string" },
    lines: { type: "string" },
    dir: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  } as const;
  return parsed({ options, allowPositionals: true });
}

function filterOf({ level, trace, since }: ReturnType<typeof parse>["values"]): (entry: Entry) => boolean {
  const least = levels.findIndex((known) => known === (level ?? "debug"));
  if (least < 0) throw usage(`--level ${level} is none of ${levels.join(", ")}`);
  if (trace !== undefined && !/^[0-9a-f]{8,32}$/i.test(trace)) throw usage("--trace wants 8 to 32 hex digits");
  const prefix = trace?.toLowerCase();
  const from = since === undefined ? 0 : momentOf(since);
  return (entry) =>
    levels.indexOf(entry.level) >= least &&
    entry.time >= from &&
    (prefix === undefined || String(entry.fields.trace ?? "").startsWith(prefix));
}

function lineOf(entry: Entry, isJson: boolean, names: readonly string[]): string {
  if (isJson) return asJson(entry);
  const nameWidth = Math.max(...names.map((name) => name.length));
  return render(entry, { isColoured: process.stdout.isTTY === true, nameWidth });
}
