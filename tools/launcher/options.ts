import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Env } from "../servers/command.ts";
import { exitCodes, LaunchFailure } from "../servers/failure.ts";
import { type Extra, type Kind, onceEach, type Replicas, readExtras, readKinds, readReplicas } from "./kinds.ts";

export type Command = "start" | "stop" | "status" | "restart" | "reset";
export type Options = {
  command: Command;
  replicas: Readonly<Replicas>;
  /** What to start beside the system. */
  extras: readonly Extra[];
  /** What a restart is for. */
  restarted: readonly Kind[];
  dir: string;
  portBase: number | undefined;
  deployment: string;
  detach: boolean;
  demo: boolean;
  json: boolean;
  serversOnly: boolean;
  yes: boolean;
  help: boolean;
};

const projectDir = join(import.meta.dirname, "..", "..");
const commands: readonly string[] = ["start", "stop", "status", "restart", "reset"] satisfies Command[];
/** It is part of schema names and subjects. */
const deploymentPattern = /^[a-z][a-z0-9]{0,15}$/;

const help: Record<Command, string> = {
  start: `npm start -- [options]      start Skein on this machine and keep it running

  --detach         return when it is ready; it goes on in the background
  --dir DIR        where data, logs and keys are (default .skein, or SKEIN_DIR)
  --port-base N    take the ports N, N+1, … instead of 8080, 9000 and 21000 …, for a second instance
  --replicas LIST  how many of each process, 1 to 8, such as feed=2,bff=2, or all=2 (default 1); processes are mesh, edge
                   (the Envoys), bff and the services
  --with LIST      tools beside it: prometheus (metrics, and the alerts of infra/grafana); wrk2-api (the paths of
                   DeathStarBench's socialNetwork, which sign nobody in: for load tests alone)
  --servers-only   only MariaDB, Redis and NATS
  --no-demo        leave a new instance empty
  --json           say where everything is as JSON, on the last line of stdout

MYSQL_URL, REDIS_URL and NATS_URL name servers to use instead of private ones; SKEIN_MARIADBD, SKEIN_REDIS_SERVER,
SKEIN_NATS_SERVER, SKEIN_ENVOY, SKEIN_JAEGER and SKEIN_PROMETHEUS name programs; SKEIN_CACHE names the directory for what
is fetched. Traces are kept in the instance, by Jaeger where there is one, unless OTEL_EXPORTER_OTLP_ENDPOINT names a
collector or OTEL_SDK_DISABLED is true.
PROMETHEUS_INTERVAL_SECONDS says how often it scrapes (5), and PROMETHEUS_RULES names another file of rules.
Ctrl-C stops everything in order.`,
  stop: `npm run stop -- [options]    stop what runs in the instance directory, in order

  --dir DIR        the instance (default .skein, or SKEIN_DIR)`,
  status: `npm run status -- [options]  what runs, where, and how it is

An instance that is ready is degraded while one of its processes is not healthy; which one is said.

  --dir DIR        the instance (default .skein, or SKEIN_DIR)
  --json           as JSON: names and units stay as they are, fields may be added`,
  restart: `npm run restart -- <processes> [options]
                             restart what runs, such as feed, or feed,post, or all (services, bff and Envoys)

Replica by replica: it drains, ends, starts, and is used again before the next one's turn. With two replicas or more
no request fails; with one, requests wait or fail for that moment. Progress goes to stderr.

  --dir DIR        the instance (default .skein, or SKEIN_DIR)
  --json           the replicas that were restarted, with the milliseconds of each, as JSON on stdout`,
  reset: `npm run reset -- [options]   remove everything that an instance holds: data, logs, traces, keys

Says what goes and how much it is, asks for a word, stops what runs, and removes what the launcher made. Other files in
the directory stay, and a directory that is no instance's is refused. The next npm start begins with nothing.

  --yes            do not ask; without a terminal nothing is removed unless this is given
  --dir DIR        the instance (default .skein, or SKEIN_DIR)
  --json           what was removed and what was left, as JSON on stdout`,
};
const exitCodeHelp = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 already running.";

export function helpFor(command: Command): string {
  return `${help[command]}\n\n${exitCodeHelp}`;
}

export function readOptions(args: readonly string[], env: Env): Options {
  const [command = "", ...rest] = args;
  if (!isCommand(command)) throw usage(`unknown command "${command}"; known: ${commands.join(", ")}`);
  const { values, positionals } = parse(rest, command);
  const deployment = env.DEPLOYMENT || "skein";
  if (!deploymentPattern.test(deployment)) throw usage(`DEPLOYMENT must match ${deploymentPattern.source}`);
  if (command === "restart" && positionals.length !== 1 && !values.help) {
    throw usage("npm run restart wants the processes to restart, such as feed, or feed,post, or all");
  }
  return {
    command,
    replicas: values.replicas === undefined ? onceEach : readReplicas(values.replicas),
    extras: values.with === undefined ? [] : readExtras(values.with),
    restarted: positionals[0] === undefined ? [] : readKinds(positionals[0]),
    dir: resolve(values.dir ?? (env.SKEIN_DIR || join(projectDir, ".skein"))),
    portBase: values["port-base"] === undefined ? undefined : portOf(values["port-base"]),
    deployment,
    detach: values.detach ?? false,
    demo: !(values["no-demo"] ?? false),
    json: values.json ?? false,
    serversOnly: values["servers-only"] ?? false,
    yes: values.yes ?? false,
    help: values.help ?? false,
  };
}

const optionTypes = {
  dir: { type: "string" },
  "port-base": { type: "string" },
  replicas: { type: "string" },
  with: { type: "string" },
  detach: { type: "boolean" },
  "no-demo": { type: "boolean" },
  json: { type: "boolean" },
  "servers-only": { type: "boolean" },
  yes: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;
type Values = {
  [Name in keyof typeof optionTypes]?: (typeof optionTypes)[Name]["type"] extends "string" ? string : boolean;
};

const known: Record<Command, readonly string[]> = {
  start: Object.keys(optionTypes).filter((name) => name !== "yes"),
  stop: ["dir", "help"],
  status: ["dir", "help", "json"],
  restart: ["dir", "help", "json"],
  reset: ["dir", "help", "json", "yes"],
};

function parse(args: readonly string[], command: Command): { values: Values; positionals: readonly string[] } {
  try {
    const allowPositionals = command === "restart";
    const { values, positionals } = parseArgs({
      args: [...args],
      options: optionTypes,
      strict: true,
      allowPositionals,
    });
    const foreign = Object.keys(values).find((name) => !known[command].includes(name));
    if (foreign === undefined) return { values, positionals };
    throw new Error(`npm run ${command} has no option --${foreign}`);
  } catch (error) {
    const line = error instanceof Error ? error.message.split(". ")[0] : String(error);
    throw usage(`${line}; --help lists the options`);
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1024 && port <= 65_000) return port;
  throw usage(`--port-base ${text} is not a port between 1024 and 65000`);
}

function isCommand(text: string): text is Command {
  return commands.includes(text);
}

function usage(message: string): LaunchFailure {
  return new LaunchFailure(message, { exitCode: exitCodes.usage });
}
