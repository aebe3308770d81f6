import { createReadStream, statSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { parsed } from "./cli.ts";
import { createEdgeReader } from "./import/edges.ts";
import { createFollowImport } from "./import/follows.ts";
import { exitCodeOf, findSystem, openOperator, usage } from "./operator.ts";
import { createProgress, duration, whole } from "./progress.ts";
import { exitCodes, LaunchFailure } from "./servers/failure.ts";

const help = `npm run import -- <file> [options]     a graph from a file, e.g. of https://snap.stanford.edu/data/

Each line is \`u v\`, two whole numbers between blanks or tabs: u follows v. # begins a comment. - reads stdin.
Node u becomes the account n<u>. A second run changes nothing.

  --undirected     v follows u, too
  --prefix P       accounts are P<u> (default n)
  --password P     lets people log in to them; without it nobody can
  --strict         exit code 1 when a line is bad; good lines are imported all the same
  --dir DIR        the instance (default .skein, or SKEIN_DIR)
  --json           what was done, as JSON on stdout
  --help           this page

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running.`;

const optionTypes = {
  undirected: { type: "boolean" },
  prefix: { type: "string" },
  password: { type: "string" },
  strict: { type: "boolean" },
  dir: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Bad lines shown in full; of the others there is a count. */
const badShownMax = 20;
/** With a number of 15 digits a username has at most 30 characters. */
const prefixForm = /^[a-z][a-z0-9_]{0,14}$/;

// Calls are all short-lived objects, for which V8 would let its nursery grow to 100 MB: 280 MB resident against 190.
setFlagsFromString("--semi-space-growth-factor=1");
process.exitCode = await exitCodeOf("import", main);

async function main(): Promise<number> {
  const { file, ...options } = readOptions();
  if (options.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const sizeBytes = sizeOf(file);
  const operator = await openOperator(findSystem({ dir: options.dir, env: process.env }));
  const progress = createProgress();
  const startTime = performance.now();
  try {
    const follows = createFollowImport({ operator, progress, ...options });
    let bad = 0;
    const reader = createEdgeReader({
      edge: follows.add,
      bad(line, why, text) {
        if (++bad <= badShownMax) progress.say(`import: line ${line} ${why}: ${text}`);
      },
    });
    let readBytes = 0;
    for await (const chunk of file === "-" ? process.stdin : createReadStream(file)) {
      reader.push(chunk as Buffer);
      readBytes += (chunk as Buffer).length;
      progress.update({ what: "read bytes", done: readBytes, total: sizeBytes });
      await follows.flushWhenFull(sizeBytes === undefined ? undefined : readBytes / sizeBytes);
    }
    reader.end();
    await follows.flush(1);
    progress.end();
    const seconds = (performance.now() - startTime) / 1_000;
    if (bad > badShownMax) progress.say(`import: ${whole(bad)} bad lines in all`);
    const done = { lines: reader.lines(), bad, ...follows.counts(), seconds: Math.round(seconds * 100) / 100 };
    console.log(options.json ? JSON.stringify(done) : summary(done));
    return options.strict && bad > 0 ? exitCodes.failed : exitCodes.ok;
  } finally {
    progress.end();
    operator.close();
  }
}

type Done = { lines: number; bad: number; seconds: number } & ReturnType<
  ReturnType<typeof createFollowImport>["counts"]
>;

function summary({ users, follows, created, selfLoops, repeats, overLimit, bad, seconds }: Done): string {
  const there = follows - created - overLimit;
  const lines = [
    `${whole(users)} accounts and ${whole(created)} new follows in ${duration(seconds)}, ${whole(follows / Math.max(seconds, 0.001))} follows/s`,
  ];
  if (there > 0) lines.push(`were there already: ${whole(there)}`);
  if (repeats > 0) lines.push(`repeated in the file: ${whole(repeats)}`);
  if (selfLoops > 0) lines.push(`skipped: ${whole(selfLoops)} that follow themselves`);
  if (overLimit > 0) lines.push(`skipped: ${whole(overLimit)} beyond the limit of 5,000`);
  if (bad > 0) lines.push(`skipped: ${whole(bad)} bad lines`);
  return lines.join("\n");
}

function readOptions() {
  const { values, positionals } = given();
  const { undirected = false, prefix = "n", password = "", strict = false, json = false, help = false, dir } = values;
  const [file = "", second] = positionals;
  if (!help && file === "") throw usage("which file? npm run import -- edges.txt");
  if (second !== undefined) throw usage(`one file at a time, and not ${second} as well`);
  if (!prefixForm.test(prefix)) throw usage(`--prefix ${prefix} is not 1 to 15 of a–z, 0–9 and _ after a letter`);
  return { file, undirected, prefix, password, strict, json, help, dir };
}

function given() {
  return parsed({ options: optionTypes, allowPositionals: true });
}

/** Undefined where nobody knows it before the end. */
function sizeOf(file: string): number | undefined {
  if (file === "-") return undefined;
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) throw new LaunchFailure(`${file} is a directory`);
    return stat.isFile() ? stat.size : undefined;
  } catch (reason) {
    if (reason instanceof LaunchFailure) throw reason;
    throw new LaunchFailure(`cannot read ${file} (${(reason as NodeJS.ErrnoException).code})`, { cause: reason });
  }
}
