import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { root } from "../../tools/command.ts";
import type { Result, Row } from "./row.ts";

const GiB = 2 ** 30;
const resultsDir = join(root, "bench", "results");

export function resultOf(rows: readonly Row[], { cores, isPinned }: { cores: string; isPinned: boolean }): Result {
  const [cpu] = cpus();
  const pinned = isPinned ? `, all on cores ${cores}` : ", not pinned";
  const machine =
    `${cpu?.model ?? "?"} × ${availableParallelism()}${pinned}, ${Math.round(totalmem() / GiB)} GiB, ` +
    `Linux ${release()} ${arch()}, Node ${process.version}`;
  return {
    rows,
    machine,
    commit: git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain") === "" ? "" : "+"),
  };
}

/** Keeps a result as `<date>-<commit>.json`, beside what was measured of that commit on that day; answers where. */
export function save({ rows, ...about }: Result): string {
  mkdirSync(resultsDir, { recursive: true });
  const file = join(resultsDir, `${new Date().toISOString().slice(0, 10)}-${about.commit}.json`);
  const fresh = new Set(rows.map(keyOf));
  const kept = existsSync(file) ? readResult(file).rows.filter((row) => !fresh.has(keyOf(row))) : [];
  const result: Result = { rows: [...kept, ...rows], ...about };
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  return file;
}

export const readResult = (file: string): Result => JSON.parse(readFileSync(file, "utf8")) as Result;

/** A table for people; with an earlier result, each figure's ratio to that in brackets. */
export function tableOf({ rows, machine, commit }: Result, earlier?: Result): string {
  const before = new Map(earlier?.rows.map((row) => [keyOf(row), row]));
  const lines = rows.map((row) => cellsOf(row, before.get(keyOf(row))));
  const widths = heads.map((head, at) => Math.max(head.length, ...lines.map((cells) => cells[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join("  ");
  const cpu = rows.map((row) => `${keyOf(row).padEnd(widths[0] ?? 0)}  ${cpuLine(row)}`);
  const since = earlier === undefined ? [] : [`in brackets: against ${earlier.commit}`];
  return [line(heads), ...lines.map(line), "", "CPU µs an answer", ...cpu, "", `${machine}; ${commit}`, ...since].join(
    "\n",
  );
}

const heads = [
  "profile",
  "conns",
  "per s",
  "of Koa",
  "p50 ms",
  "p99 ms",
  "Koa's",
  "CPU µs",
  "hits",
  "failed",
  "wrong",
  "missing",
  "stale",
];

function cellsOf(row: Row, before: Row | undefined): string[] {
  const against = (now: number | null, then: number | null | undefined, text: string) =>
    now === null ? "" : then ? `${text} (${(now / then).toFixed(2)})` : text;
  const share = (of: number) => (of === 0 ? "0" : `${(of * 100).toFixed(3)} %`);
  const cpu = cpuSum(row);
  return [
    keyOf(row),
    String(row.connections),
    against(row.rps, before?.rps, String(row.rps)),
    against(row.shareOfKoa, before?.shareOfKoa, row.shareOfKoa?.toFixed(3) ?? ""),
    against(row.p50Ms, before?.p50Ms, String(row.p50Ms)),
    against(row.p99Ms, before?.p99Ms, String(row.p99Ms)),
    against(row.koaP99Ms, before?.koaP99Ms, String(row.koaP99Ms ?? "")),
    against(cpu || null, before && cpuSum(before), String(cpu)),
    row.hitRate === null ? "" : `${(row.hitRate * 100).toFixed(1)} %`,
    share(row.failed),
    share(row.wrong),
    share(row.missing),
    share(row.stale),
  ];
}

const keyOf = ({ profile, envoy }: Row): string => `${profile}${envoy ? " +envoy" : ""}`;

/** Of the system, without the client that asked. */
const cpuSum = ({ cpuUs }: Row): number =>
  Object.entries(cpuUs).reduce((sum, [name, us]) => (name === "client" ? sum : sum + us), 0);

const cpuLine = ({ cpuUs }: Row): string =>
  Object.entries(cpuUs)
    .filter(([, us]) => us > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([name, us]) => `${name} ${us}`)
    .join(" · ");

function git(...args: string[]): string {
  try {
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return ""; // An unpacked archive has no history.
  }
}
