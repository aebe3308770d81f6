import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Env } from "../servers/command.ts";
import { exitCodes, LaunchFailure } from "../servers/failure.ts";

export type Command = "start" | "stop" | "status";
export type Options = {
  command: Command;
  dir: string;
  portBase: number | undefined;
  deployment: string;
  detach: boolean;
  demo: boolean;
  json: boolean;
  serversOnly: boolean;
  help: boolean;
};

const projectDir = join(import.meta.dirname, "..", "..");
const commands: readonly string[] = ["start", "stop", "status"] satisfies Command[];
/** It is part of schema names and subjects. */
const deploymentPattern = /^[a-z][a-z0-9]{0,15}$/;

const help: Record<Command, string> = {
  start: `npm start -- [options]      start Skein on this machine and keep it running

  --detach         return when it is ready; it goes on in the background
  --dir DIR        where data, logs and keys are (default .skein, or SKEIN_DIR)
  --port-base N    take the ports N, N+1, … instead of 8080, 9000 and 21000 …, for a second instance
  --servers-only   only MariaDB, Redis and NATS
  --no-demo        leave a new instance empty
  --json           say where everything is as JSON, on the last line of stdout

MYSQL_URL, REDIS_URL and NATS_URL name servers to use instead of private ones; SKEIN_MARIADBD, SKEIN_REDIS_SERVER,
SKEIN_NATS_SERVER and SKEIN_ENVOY name programs; SKEIN_CACHE names the directory for what is fetched.
Ctrl-C stops everything in order.`,
  stop: `npm run stop -- [options]    stop what runs in the instance directory, in order

  --dir DIR        the instance (default .skein, or SKEIN_DIR)`,
  status: `npm run status -- [options]  what runs, where, and how it is

  --dir DIR        the instance (default .skein, or SKEIN_DIR)
  --json           as JSON`,
};
const exitCodeHelp = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 already running.";

export function helpFor(command: Command): string {
  return `${help[command]}\n\n${exitCodeHelp}`;
}

export function readOptions(args: readonly string[], env: Env): Options {
  const [command = "", ...rest] = args;
  if (!isCommand(command)) throw usage(`unknown command "${command}"; known: ${commands.join(", ")}`);
  const values = parse(rest, command);
  const deployment = env.DEPLOYMENT || "skein";
  if (!deploymentPattern.test(deployment)) throw usage(`DEPLOYMENT must match ${deploymentPattern.source}`);
  return {
    command,
    dir: resolve(values.dir ?? (env.SKEIN_DIR || join(projectDir, ".skein"))),
    portBase: values["port-base"] === undefined ? undefined : portOf(values["port-base"]),
    deployment,
    detach: values.detach ?? false,
    demo: !(values["no-demo"] ?? false),
    json: values.json ?? false,
    serversOnly: values["servers-only"] ?? false,
    help: values.help ?? false,
  };
}

const optionTypes = {
  dir: { type: "string" },
  "port-base": { type: "string" },
  detach: { type: "boolean" },
  "no-demo": { type: "boolean" },
  json: { type: "boolean" },
  "servers-only": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;
type Values = {
  [Name in keyof typeof optionTypes]?: (typeof optionTypes)[Name]["type"] extends "string" ? string : boolean;
};

const known: Record<Command, readonly string[]> = {
  start: Object.keys(optionTypes),
  stop: ["dir", "help"],
  status: ["dir", "help", "json"],
};

function parse(args: readonly string[], command: Command): Values {
  try {
    const { values } = parseArgs({ args: [...args], options: optionTypes, strict: true });
    const foreign = Object.keys(values).find((name) => !known[command].includes(name));
    if (foreign === undefined) return values;
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
