/** How much a process says. */
export type Level = "debug" | "info" | "warn" | "error";

type Fields = Readonly<Record<string, unknown>>;
type Say = (msg: string, fields?: Fields) => void;

/** One JSON line on standard output for each thing worth knowing: ids and numbers, never texts, names or secrets. */
export type Log = { readonly [L in Level]: Say };

const levels: readonly Level[] = ["debug", "info", "warn", "error"];

/**
 * Lines of one message a second; more are counted, and told in a line of their own when the second is over, so that a
 * storm cannot fill a disk and nothing is held in silence.
 */
const linesPerSecondMax = 100;

/** What is still held when the process ends is told then. */
const holding = new Set<() => void>();
process.once("exit", () => {
  for (const tell of holding) tell();
});

export function createLog({
  name,
  level,
  write = (line) => process.stdout.write(line),
}: {
  name: string;
  level: Level;
  write?: (line: string) => void;
}): Log {
  const budgets = new Map<string, { second: number; said: number; held: number }>();
  const print = (at: Level, msg: string, fields: Fields) =>
    write(`${JSON.stringify({ time: new Date().toISOString(), level: at, name, msg, ...fields })}\n`);
  const say =
    (at: Level): Say =>
    (msg, fields) => {
      if (levels.indexOf(at) < levels.indexOf(level)) return;
      const now = Date.now();
      const second = Math.floor(now / 1000);
      const budget = budgets.get(msg) ?? { second, said: 0, held: 0 };
      budgets.set(msg, budget);
      if (budget.second !== second) Object.assign(budget, { second, said: 0 });
      if (++budget.said <= linesPerSecondMax) return print(at, msg, plain(fields));
      if (++budget.held > 1) return;
      const tell = () => {
        clearTimeout(timer);
        holding.delete(tell);
        print(at, msg, { held: budget.held });
        budget.held = 0;
      };
      const timer = setTimeout(tell, 1000 - (now % 1000)).unref();
      holding.add(tell);
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
