import { existsSync, lstatSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { exitCodes, LaunchFailure, writeFailure } from "../servers/failure.ts";
import { lockInstance } from "./claim.ts";
import { stopInstance } from "./stop.ts";

/** All that a launcher makes in an instance's directory, by what it is to a person. What is not here is not touched. */
const made: Readonly<Record<string, readonly string[]>> = {
  data: ["mysql", "redis", "nats", "media", "demo.json"],
  traces: ["traces"],
  metrics: ["prometheus"],
  logs: ["logs"],
  keys: ["keys.json"],
  rest: ["envoy", "state.json", "state.json.new", "keys.json.new", "rebuild", "launcher.lock"],
};
const requests = /^restart-[0-9a-f-]+\.(request|request\.new|answers)$/;
const word = "reset";

export type Reset = {
  readonly dir: string;
  readonly removed: readonly { readonly what: string; readonly bytes: number }[];
  /** Names in the directory that no launcher made. */
  readonly left: readonly string[];
};

/**
 * Ends what runs in a directory and removes what its launcher made there, after the person at the terminal has typed the
 * word; `yes` stands for it. Refuses a directory without the mark of an instance, and to ask where nobody can answer.
 */
export async function resetInstance({
  dir,
  yes,
  say,
}: {
  dir: string;
  yes: boolean;
  say: (line: string) => void;
}): Promise<Reset> {
  const names = existsSync(dir) ? readdirSync(dir) : [];
  if (names.length === 0) return { dir, removed: [], left: [] };
  if (!isInstance(dir)) throw new LaunchFailure(`${dir} is not the directory of an instance; nothing was removed`);
  const plan = Object.entries(made).flatMap(([what, own]) => {
    const present = names.filter((name) => own.includes(name) || (what === "rest" && requests.test(name)));
    return present.length === 0 ? [] : [{ what, names: present, bytes: bytesIn(dir, present) }];
  });
  const ours = plan.flatMap((part) => part.names);
  const left = names.filter((name) => !ours.includes(name));
  if (!yes) await ask([`what goes for good from ${dir}:`, ...plan.map(lineOf), ...leftLines(left)], say);
  await stopInstance(dir, say);
  await lockInstance(dir);
  try {
    // The lock is the last to go: nobody starts in what is half removed.
    const isLock = (name: string) => name === "launcher.lock";
    for (const name of [...ours.filter((name) => !isLock(name)), "launcher.lock"]) {
      await rm(join(dir, name), { recursive: true, force: true });
    }
    if (left.length === 0) rmdirSync(dir);
  } catch (error) {
    throw writeFailure(error, dir, "run this as the user who started the instance");
  }
  return { dir, removed: plan.map(({ what, bytes }) => ({ what, bytes })), left };
}

/** Only a launcher writes keys of this form, before it starts anything. */
function isInstance(dir: string): boolean {
  try {
    const keys = JSON.parse(readFileSync(join(dir, "keys.json"), "utf8")) as Record<string, unknown>;
    return ["mysql", "redis", "nats", "access", "internal", "cursor"].every((name) => name in keys);
  } catch {
    return false;
  }
}

async function ask(lines: readonly string[], say: (line: string) => void): Promise<void> {
  if (process.stdin.isTTY !== true) {
    const message = "nobody is there to ask whether the data may go; --yes removes it without asking";
    throw new LaunchFailure(message, { exitCode: exitCodes.usage });
  }
  for (const line of lines) say(line);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`skein: type "${word}" to go on: `).finally(() => terminal.close());
  if (answer.trim() !== word) throw new LaunchFailure("nothing was removed");
}

const lineOf = ({ what, names, bytes }: { what: string; names: readonly string[]; bytes: number }): string =>
  `  ${what.padEnd(7)} ${sizeOf(bytes).padStart(9)}  ${names.join(", ")}${what === "keys" ? ": everyone is signed out" : ""}`;

const leftLines = (left: readonly string[]): string[] =>
  left.length === 0 ? [] : [`what stays, because no launcher made it: ${left.join(", ")}`];

/** `213 MB`, `4.0 kB`. */
export function sizeOf(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}

/** What the disk holds of them; a file that goes meanwhile counts nothing. */
function bytesIn(dir: string, names: readonly string[]): number {
  let bytes = 0;
  for (const name of names) {
    const path = join(dir, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) continue;
    bytes += found.isDirectory() ? bytesIn(path, readdirSync(path)) : found.blocks * 512;
  }
  return bytes;
}
