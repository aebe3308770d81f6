//! What the image runs: `role.ts feed` is the feed service, `role.ts migrate` brings the schemas up to date and ends.

import { readFileSync } from "node:fs";
import path from "node:path";
import { services } from "../launcher/kinds.ts";

const root = path.resolve(import.meta.dirname, "../..");

/** What each role runs. Services and the BFF serve until SIGTERM; the others do one thing and end. */
const roles: Readonly<Record<string, string>> = {
  ...Object.fromEntries(services.map((noun) => [noun, `services/${noun}/src/main.ts`])),
  bff: "bff/src/main.ts",
  migrate: "tools/migrate.ts",
  configure: "tools/containers/configure.ts",
  seed: "tools/seed.ts",
  import: "tools/import.ts",
  explain: "tools/explain.ts",
  trace: "tools/trace.ts",
};

/** A secret longer than this is another file by mistake. */
const secretBytesMax = 64 * 1024;

const [role = "", ...args] = process.argv.slice(2);
const file = roles[role];
if (file === undefined) {
  console.error(`skein: no role "${role}"; there are ${Object.keys(roles).join(", ")}`);
  process.exit(2);
}
try {
  readSecrets();
} catch (reason) {
  console.error(`skein: ${(reason as Error).message}`);
  process.exit(1);
}
const main = path.join(root, file);
process.argv.splice(1, process.argv.length, main, ...args);
const { run } = (await import(main)) as { run?: () => Promise<void> };
await run?.();

/** `INTERNAL_KEY_FILE=/run/secrets/internal_key` stands for INTERNAL_KEY, so that no secret is in an environment. */
function readSecrets(): void {
  for (const [name, place] of Object.entries(process.env)) {
    if (!name.endsWith("_FILE") || !place?.startsWith("/run/secrets/")) continue;
    const text = readFileSync(place, "utf8").trim();
    if (text === "" || text.length > secretBytesMax) throw new Error(`${name}: ${place} holds no secret`);
    process.env[name.slice(0, -"_FILE".length)] = text;
  }
}
