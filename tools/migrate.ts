import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { need } from "#lib/mesh/config.ts";
import { migrate } from "#lib/storage/migrate.ts";

const root = path.resolve(import.meta.dirname, "..");

/** The nouns that have a schema: every service with a `schema/` folder. */
export const nouns = readdirSync(path.join(root, "services")).filter((noun) =>
  existsSync(path.join(root, "services", noun, "schema")),
);

/** Brings every service's schema up to date: the tables of events that all have, then its own. */
export async function migrateAll(options: { url: string; deployment: string }): Promise<Map<string, string[]>> {
  const { url, deployment } = options;
  const applied = await Promise.all(
    nouns.map(async (noun) => {
      const folders = [path.join(root, "lib/events/schema"), path.join(root, "services", noun, "schema")];
      return [noun, await migrate({ url, database: `${deployment}_${noun}`, folders })] as const;
    }),
  );
  return new Map(applied);
}

/** The command: MYSQL_URL says where, DEPLOYMENT under which name. */
export async function run(): Promise<void> {
  const deployment = process.env.DEPLOYMENT ?? "skein";
  for (const [noun, names] of await migrateAll({ url: need(process.env, "MYSQL_URL"), deployment })) {
    console.log(`${deployment}_${noun}: ${names.length === 0 ? "up to date" : names.join(", ")}`);
  }
}

if (import.meta.main) await run();
