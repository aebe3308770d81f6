/** In the order of weight. */
export const levels = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof levels)[number];

/** One thing a process said, from a line of JSON or of a server's own making. */
export type Entry = {
  /** Epoch milliseconds. */
  readonly time: number;
  readonly level: Level;
  /** The process whose log it is in. */
  readonly name: string;
  readonly msg: string;
  /** What a line of JSON has beside: `trace`, `request`, `caller`, `error`, … */
  readonly fields: Readonly<Record<string, unknown>>;
};

/** What a line without a time or a level of its own goes on from. */
export type Before = { readonly time: number; readonly level: Level };

/** Reads a line. One that nobody's form fits belongs to the line before it: a stack, or what a server says at its start. */
export function entryOf(name: string, line: string, before: Before): Entry {
  return jsonEntry(name, line) ?? textEntry(name, line) ?? { ...before, name, msg: line, fields: {} };
}

function jsonEntry(name: string, line: string): Entry | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const { time, level, msg, name: _own, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const at = Date.parse(String(time));
    if (Number.isNaN(at) || typeof msg !== "string") return undefined;
    return { time: at, level: levelOf(String(level)), name, msg, fields };
  } catch {
    return undefined;
  }
}

/** How each server begins a line: when, how grave, what. Times are of this machine. */
const forms: readonly RegExp[] = [
  // MariaDB: 2026-11-22  9:45:57 0 [Warning] …
  /^(?<time>\d{4}-\d\d-\d\d +\d{1,2}:\d\d:\d\d) \d+ \[(?<level>\w+)\] (?<msg>.*)$/,
  // Redis: 4185:M 22 Nov 2026 09:45:57.010 # …
  /^\d+:\w (?<time>\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) (?<level>[.*#-]) (?<msg>.*)$/,
  // NATS: [4186] 2026/11/22 09:45:57.018048 [INF] …
  /^\[\d+\] (?<time>\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{3})\d* \[(?<level>\w+)\] (?<msg>.*)$/,
  // Envoy: [2026-11-22 09:46:22.350][4269][warning][main] [source/…] …
  /^\[(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\]\[\d+\]\[(?<level>\w+)\](?<msg>.*)$/,
  // Jaeger's database: badger 2026/11/22 09:42:12 INFO: …
  /^badger (?<time>\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d) (?<level>\w+): (?<msg>.*)$/,
  // Jaeger: 2026-11-22T09:58:14.563Z	warn	…
  /^(?<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S*)\t(?<level>\w+)\t(?<msg>.*)$/,
];

function textEntry(name: string, line: string): Entry | undefined {
  for (const form of forms) {
    const { time, level, msg } = form.exec(line)?.groups ?? {};
    const at = Date.parse((time ?? "").replace(/ +(\d):/, " 0$1:"));
    if (!Number.isNaN(at)) return { time: at, level: levelOf(level ?? ""), name, msg: (msg ?? "").trim(), fields: {} };
  }
  return undefined;
}

/** Every server has its own words; the first letters tell. Redis' # is a warning, and so is its greeting. */
function levelOf(word: string): Level {
  if (/^(e|f|c)/i.test(word)) return "error";
  if (/^(w|#)/i.test(word)) return "warn";
  return /^(d|t|v|\.|-)/i.test(word) ? "debug" : "info";
}
