import { parseArgs } from "node:util";
import { hotRows } from "../tests/support/hot-rows.ts";
import { startSystem } from "../tests/support/system.ts";
import { createProgress } from "../tools/progress.ts";

const help = `node bench/counts.ts [--workers 16] [--operations 2000] [--rows 10] [--json]

Whether counts stay exact on hot rows, on a system of its own: --workers people each do --operations likes, unlikes,
follows, unfollows, comments and deletes of comments on --rows posts and authors, and read their own state back.
Says how many answers were errors, own states wrong, and counts not their rows in the end; exit code 1 where any was.
"repeated" are requests sent again because they were answered 409, 503 or 504.`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean" },
    json: { type: "boolean" },
    workers: { type: "string", default: "16" },
    operations: { type: "string", default: "2000" },
    rows: { type: "string", default: "10" },
  },
});

if (values.help) console.log(help);
else process.exitCode = await main();

async function main(): Promise<number> {
  const [workers, operationsEach, rows] = [values.workers, values.operations, values.rows].map(Number) as [
    number,
    number,
    number,
  ];
  const system = await startSystem();
  const progress = createProgress();
  const total = workers * operationsEach;
  const began = Date.now();
  try {
    const { edge, oracle } = system;
    const told = (done: number) => progress.update({ what: "operations", done, total });
    const { errors, wrongStates, wrongCounts, ...numbers } = await hotRows({
      edge,
      oracle,
      workers,
      operationsEach,
      rows,
      told,
    });
    for (const line of [...errors, ...wrongStates, ...wrongCounts].slice(0, 20)) console.error(line);
    const result = {
      ...numbers,
      seconds: Math.round((Date.now() - began) / 1000),
      errors: errors.length,
      wrongStates: wrongStates.length,
      wrongCounts: wrongCounts.length,
    };
    console.log(values.json ? JSON.stringify(result) : result);
    return errors.length + wrongStates.length + wrongCounts.length === 0 ? 0 : 1;
  } finally {
    await system.stop();
  }
}
