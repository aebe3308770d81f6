import { spawn } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { startInstance } from "./launcher/instance.ts";
import { findPrograms } from "./launcher/start-servers.ts";

const help = `npm test [-- --only <part of a path>] [--quick]

Everything: npm run check, then the tests of each room on real servers, then stories on whole systems of their own.
What a fresh machine lacks is fetched first. Exit code 0: all passed; 1: something failed; 2: unknown option.

  --only P   run only test files whose path holds P, and no checks
  --quick    fewer histories in the property tests (20 instead of 200)`;

/** Stories that break a system, or send it all that it can answer in time: beside another one they would tell of that, too. */
const alone = [
  "alerts",
  "chaos",
  "consistency",
  "degraded",
  "jaeger",
  "loss",
  "matrix",
  "replicas",
  "restart",
  "traces",
];

/** Two files at a time, one a core; each story starts a system of its own, and half of what it takes is waiting. */
const rooms = [
  {
    title: "rooms",
    files: [
      "lib/**/test/*.test.ts",
      "services/*/test/*.test.ts",
      "bff/test/*.test.ts",
      "infra/**/test/*.test.ts",
      "tools/**/*.test.ts",
    ],
    atOnce: 2,
  },
  { title: "stories", files: ["tests/*.test.ts"], but: alone, atOnce: 2 },
  { title: "stories alone", files: alone.map((name) => `tests/${name}.test.ts`), atOnce: 1 },
];

/** No test needs more; one that hangs fails by it. */
const testMs = 900_000;

const { values } = parseArgs({
  options: { help: { type: "boolean" }, only: { type: "string" }, quick: { type: "boolean" } },
  strict: true,
});

if (values.help) console.log(help);
else process.exitCode = await main();

async function main(): Promise<number> {
  const failed: string[] = [];
  const reasons: string[] = [];
  if (values.only === undefined && (await run([process.execPath, "tools/check.ts"], {})) !== 0) failed.push("check");
  const dir = mkdtempSync(path.join(tmpdir(), "skein-servers-"));
  console.log("starting servers");
  const say = (line: string) => console.log(`  ${line}`);
  const { envoy } = await findPrograms({ env: process.env, given: {}, envoy: true, extras: ["prometheus"], say });
  const servers = await startInstance({ dir, demo: false, serversOnly: true, say });
  const { mysqlUrl, redisUrl, natsUrl } = servers.servers;
  const env = {
    TEST_MYSQL_URL: mysqlUrl,
    TEST_REDIS_URL: redisUrl,
    TEST_NATS_URL: natsUrl,
    ...(envoy !== undefined && { SKEIN_ENVOY: envoy.file }),
    ...(values.quick && { HISTORIES: "20" }),
  };
  try {
    for (const { title, files, but = [], atOnce } of rooms) {
      const chosen = globSync(files).filter(
        (file) =>
          !file.includes("node_modules") &&
          !but.includes(path.basename(file, ".test.ts")) &&
          (values.only === undefined || file.includes(values.only)),
      );
      if (chosen.length === 0) continue;
      console.log(`${title}: ${chosen.length} files`);
      const code = await run(
        [
          process.execPath,
          "--test",
          `--test-concurrency=${atOnce}`,
          ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
          ...["--test-reporter=./tools/test/failures.ts", `--test-reporter-destination=${path.join(dir, title)}`],
          `--test-timeout=${testMs}`,
          ...chosen.sort(),
        ],
        env,
      );
      if (code === 0) continue;
      failed.push(title);
      reasons.push(readFileSync(path.join(dir, title), "utf8"));
    }
  } finally {
    await servers.discard();
    rmSync(dir, { recursive: true, force: true });
  }
  for (const reason of reasons) console.log(`\n${reason}`);
  console.log(failed.length === 0 ? "all passed" : `failed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}

function run([file = "", ...args]: string[], env: Record<string, string>): Promise<number> {
  const child = spawn(file, args, { stdio: "inherit", env: { ...process.env, ...env } });
  return new Promise((done) => child.once("exit", (code) => done(code ?? 1)).once("error", () => done(1)));
}
