/** How much a process says. */
export type Level = "debug" | "info" | "warn" | "error";

type Fields = Readonly<Record<string, unknown>>;
type Say = (msg: string, fields?: Fields) => void;

/** One JSON line on standard output for each thing worth knowing: ids and numbers, never texts, names or secrets. */
export type Log = { readonly [L in Level]: Say };

const levels: readonly Level[] = ["debug", "info", "warn", "error"];

/** Lines of one message a second; more are counted and told with the next one, so that a storm cannot fill a disk. */
const linesPerSecondMax = 100;

export function createLog({ name, level }: { name: string; level: Level }): Log {
  const budgets = new Map<string, { second: number; said: number; held: number }>();
  const say =
    (at: Level): Say =>
    (msg, fields) => {
      if (levels.indexOf(at) < levels.indexOf(level)) return;
      const now = Date.now();
      const second = Math.floor(now / 1000);
      const budget = budgets.get(msg) ?? { second, said: 0, held: 0 };
      budgets.set(msg, budget);
      if (budget.second !== second) Object.assign(budget, { second, said: 0 });
      if (++budget.said > linesPerSecondMax) {
        budget.held++;
        return;
      }
      const held = budget.held === 0 ? undefined : budget.held;
      budget.held = 0;
      const line = { time: new Date(now).toISOString(), level: at, name, msg, held, ...plain(fields) };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    };
  return { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
}

/** Errors do not survive JSON: keep their message, code and the first frames. */
function plain(fields: Fields | undefined): Fields {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields ?? {}))
    out[key] = value instanceof Error ? plainError(value) : value;
  return out;
}

function plainError(err: Error): Fields {
  const cause = err.cause instanceof Error ? plainError(err.cause) : undefined;
  const code = "code" in err ? err.code : undefined;
  return { message: err.message, code, at: err.stack?.split("\n").slice(1, 4).join(" ").trim(), cause };
}
