import { hostname, userInfo } from "node:os";
import { createInterface } from "node:readline/promises";
import { parseId } from "#lib/storage/id.ts";
import { countOf, exitCodeOf, momentOf, parsed, usage } from "./cli.ts";
import { services } from "./launcher/kinds.ts";
import { contentsOf } from "./parked/contents.ts";
import { asJson, countLines, eventLines, eventTable } from "./parked/render.ts";
import { replayAll } from "./parked/replay.ts";
import { type Filter, openParked, type ParkedStore } from "./parked/store.ts";
import { createProgress, whole } from "./progress.ts";
import { exitCodes, LaunchFailure } from "./servers/failure.ts";
import { findStores } from "./stores.ts";

const help = `npm run parked -- list|show|replay|drop [event id] [options]

Events that a consumer could not apply: set aside, with everything later of the same aggregate (one post, one pair).

  list               what is parked, the oldest first, and how many for each reason
  show ID            one event decoded by its contract, and the trace to look at
  replay             applies aggregates again, in order of version, through their consumer; later events then flow again
  drop [ID]          gives events up; each is kept in the table parked_dropped, with who and why

Which (replay and drop want one of these, or --all; replay takes the whole aggregate of each event):
  --service NAME     only those of this consumer, such as feed
  --stream NAME      only events of this service, such as post
  --aggregate NAME   only this one, such as post:1234
  --type NAME        only this type, such as PostCreated
  --since WHEN       parked since: 90s, 5m, 2h, 1d ago, or a time such as 2026-11-22T09:45
  --all              all of them

  --limit N          events listed (default 50, at most 1000)
  --rate N           aggregates replayed in a second (default 100, at most 10000)
  --why TEXT         why they are dropped; recorded
  --by NAME          who drops them (default the user of this machine); recorded
  --yes              drops without asking
  --dir DIR          the instance (default .skein, or SKEIN_DIR; MYSQL_URL and REDIS_URL name another)
  --json             the answer as JSON on stdout
  --help             this page

A replay that was broken off goes on: what is marked is replayed by its consumer, and the same command finds the rest.

Exit codes: 0 done, 1 failed or still parked, 2 wrong usage, 3 not running.`;

const optionTypes = {
  service: { type: "string" },
  stream: { type: "string" },
  aggregate: { type: "string" },
  type: { type: "string" },
  since: { type: "string" },
  all: { type: "boolean", default: false },
  limit: { type: "string", default: "50" },
  rate: { type: "string", default: "100" },
  why: { type: "string" },
  by: { type: "string" },
  yes: { type: "boolean", default: false },
  dir: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

const verbs = ["list", "show", "replay", "drop"] as const;

const listMax = 1_000;
const rateMax = 10_000;
/** Events that one command drops; more are dropped by another. */
const dropMax = 100_000;
/** As long as their columns. */
const whyMax = 500;
const byMax = 128;

type Asked = ReturnType<typeof readOptions>;

process.exitCode = await exitCodeOf("parked", main);

async function main(): Promise<number> {
  const asked = readOptions();
  if (asked.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const store = openParked(findStores({ dir: asked.dir, env: process.env }));
  try {
    if (asked.verb === "list") return await list(store, asked);
    if (asked.verb === "show") return await show(store, asked);
    return await (asked.verb === "replay" ? replay(store, asked) : drop(store, asked));
  } finally {
    await store.close();
  }
}

async function list(store: ParkedStore, { filter, limit, json }: Asked): Promise<number> {
  const [counts, found] = [await store.counts(filter), await store.list(filter, limit)];
  const events = found.sort((a, b) => a.parkTime.getTime() - b.parkTime.getTime()).slice(0, limit);
  if (json) console.log(JSON.stringify({ counts, events: events.map(asJson) }));
  else if (events.length === 0) console.log("nothing is parked");
  else console.log([eventTable(events), "", ...countLines(counts)].join("\n"));
  return exitCodes.ok;
}

async function show(store: ParkedStore, { filter, json }: Asked): Promise<number> {
  const events = await store.list(filter, listMax);
  if (events.length === 0) throw new LaunchFailure(`no parked event has the id ${filter.id}`);
  const shown = events.map((event) => ({ event, contents: contentsOf(event) }));
  if (json) console.log(JSON.stringify(shown.map(({ event, contents }) => ({ ...asJson(event), ...contents }))));
  else console.log(shown.map(({ event, contents }) => eventLines(event, contents)).join("\n\n"));
  return exitCodes.ok;
}

async function replay(store: ParkedStore, { filter, rate, json }: Asked): Promise<number> {
  const progress = createProgress();
  try {
    const aggregates = await store.aggregates(filter);
    const { replayed, failed } = await replayAll({ store, aggregates, rate, progress });
    progress.end();
    if (json) console.log(JSON.stringify({ replayed, failed }));
    else {
      for (const { service, aggregate, reason } of failed)
        console.log(`${service} still parks ${aggregate}: ${reason}`);
      console.log(`${whole(replayed)} of ${whole(aggregates.length)} aggregates replayed`);
    }
    return failed.length === 0 ? exitCodes.ok : exitCodes.failed;
  } finally {
    progress.end();
  }
}

async function drop(store: ParkedStore, { filter, why, by, yes, json }: Asked): Promise<number> {
  const events = await store.list(filter, dropMax);
  if (events.length > 0 && !yes) await ask(`drop ${whole(events.length)} parked events, recorded as by ${by}: ${why}?`);
  const dropped = await store.drop(events, by, why);
  console.log(json ? JSON.stringify({ dropped, by, why }) : `${whole(dropped)} events dropped`);
  return exitCodes.ok;
}

async function ask(question: string): Promise<void> {
  if (process.stdin.isTTY !== true) throw usage("nobody is there to ask; --yes drops without asking");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} Type "drop" to go on: `).finally(() => terminal.close());
  if (answer.trim() !== "drop") throw new LaunchFailure("nothing was dropped");
}

function readOptions() {
  const { values, positionals } = given();
  const [name = "", event, more] = positionals;
  const verb = verbs.find((known) => known === name) ?? "list";
  const { service, stream, aggregate, type, since } = values;
  const id = event === undefined ? undefined : parseId(event);
  const filter: Filter = { service, stream, aggregate, type, id, sinceMs: (since && momentOf(since)) || undefined };
  const read = {
    ...values,
    verb,
    filter,
    limit: countOf("limit", values.limit, listMax),
    rate: countOf("rate", values.rate, rateMax),
    why: (values.why ?? "").trim().slice(0, whyMax),
    by: (values.by ?? `${userInfo().username}@${hostname()}`).slice(0, byMax),
  };
  if (values.help) return read;
  if (verb !== name || more !== undefined) throw usage(`what is to be done? ${verbs.join(", ")}`);
  if (event !== undefined && (id === undefined || verb === "list" || verb === "replay"))
    throw usage(`${event}: show and drop take the id of an event`);
  if (service !== undefined && !services.some((known) => known === service))
    throw usage(`--service ${service}: there are ${services.join(", ")}`);
  if (verb === "show" && id === undefined) throw usage("show what? npm run parked -- show <event id>");
  const isAny = Object.values(filter).every((part) => part === undefined);
  if ((verb === "replay" || verb === "drop") && isAny && !values.all) throw usage(`${verb} what? name which, or --all`);
  if (verb === "drop" && read.why === "") throw usage("--why says why they are dropped");
  return read;
}

function given() {
  return parsed({ options: optionTypes, allowPositionals: true });
}
