import path from "node:path";
import type { EventData } from "node:test";
import { inspect } from "node:util";

/** Lines told of a failure: an assertion on two whole pages has hundreds. */
const linesMax = 40;

type Event = { readonly type: string; readonly data: unknown };

/**
 * A reporter (https://nodejs.org/docs/latest/api/test.html#custom-reporters) of nothing but what failed and why, for the end of a run
 * of many rooms, where people look first.
 */
// biome-ignore lint/style/noDefaultExport: the runner takes a reporter by it.
export default async function* failures(events: AsyncIterable<Event>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if (type !== "test:fail") continue;
    const { name, file, line, details } = data as EventData.TestFail;
    const { failureType, cause } = details.error as Error & { failureType?: string };
    if (failureType === "subtestsFailed") continue;
    const lines = inspect(cause ?? details.error, { depth: 4 }).split("\n");
    const more = lines.length > linesMax ? [`… ${lines.length - linesMax} lines more`] : [];
    const where = file === undefined ? "" : ` (${path.relative(process.cwd(), file)}:${line})`;
    yield [`✖ ${name}${where}`, ...[...lines.slice(0, linesMax), ...more].map((one) => `    ${one}`), ""].join("\n");
  }
}
