import { Code, ConnectError } from "@connectrpc/connect";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { parseId } from "#lib/storage/id.ts";
import { parsed } from "./cli.ts";
import { exitCodeOf, findSystem, insist, type Operator, openOperator, usage } from "./operator.ts";
import { exitCodes, LaunchFailure } from "./servers/failure.ts";

const help = `npm run account -- suspend|restore <user> [options]     takes an account out of sight, or brings it back

<user> is an id or a username. Who is suspended reads as before and changes nothing; for everyone else they, and all that
is theirs, are not there from the next read on. Nothing is deleted. Again is the same as once.

  --dir DIR     the instance (default .skein, or SKEIN_DIR)
  --json        what was done, as JSON on stdout
  --help        this page

Exit codes: 0 done, 1 failed (nobody is called so, or the account is gone or closed by its owner), 2 wrong usage,
3 not running.`;

const states = { suspend: AccountState.SUSPENDED, restore: AccountState.ACTIVE } as const;
const shown = { suspend: "suspended", restore: "active" } as const;
const words = { suspend: "is suspended", restore: "is open" } as const;

const optionTypes = {
  dir: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

process.exitCode = await exitCodeOf("account", main);

async function main(): Promise<number> {
  const { help: wanted, dir, json, verb, user } = readOptions();
  if (wanted) {
    console.log(help);
    return exitCodes.ok;
  }
  const operator = await openOperator(findSystem({ dir, env: process.env }));
  try {
    const { id, username } = await find(operator, user);
    await orFail(insist((options) => operator.graph.setAccountState({ userId: id, state: states[verb] }, options)));
    if (json) console.log(JSON.stringify({ userId: id, username, state: shown[verb] }));
    else console.log(`${username} (${id}) ${words[verb]}`);
    return exitCodes.ok;
  } finally {
    operator.close();
  }
}

/** The operator finds everybody, in whatever state their account is. */
async function find(operator: Operator, user: string): Promise<{ id: string; username: string }> {
  const { user: found } = await orFail(
    insist((options) => operator.user.getUser({ user }, options)),
    `nobody is ${parseId(user) === undefined ? "called " : ""}${user}`,
  );
  if (found === undefined) throw new LaunchFailure(`nobody is ${user}`);
  return found;
}

/** What a service refuses is told in one line. */
async function orFail<T>(call: Promise<T>, absent?: string): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    if (!(cause instanceof ConnectError)) throw cause;
    const message = cause.code === Code.NotFound && absent !== undefined ? absent : cause.rawMessage;
    throw new LaunchFailure(message, { cause });
  }
}

function readOptions() {
  const { values, positionals } = parsed({ options: optionTypes, allowPositionals: true });
  const [name = "", user = "", more] = positionals;
  const verb = name === "restore" ? "restore" : "suspend";
  if (values.help) return { ...values, verb, user } as const;
  if (verb !== name || user === "" || more !== undefined)
    throw usage("whose account? npm run account -- suspend|restore <user>");
  return { ...values, verb, user } as const;
}
