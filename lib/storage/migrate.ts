import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import mysql from "mysql2/promise";

/**
 * Brings one schema up to its newest migration: every `NNNN_name.sql` of the folders, in order, each once. Forward
 * only; safe to run from many processes at once (one holds a named lock, the others wait).
 *
 * @returns the names applied now.
 */
export async function migrate({
  url,
  database,
  folders,
}: {
  url: string;
  database: string;
  folders: readonly string[];
}): Promise<string[]> {
  const connection = await mysql.createConnection({ uri: url, multipleStatements: false });
  try {
    await connection.query("CREATE DATABASE IF NOT EXISTS ?? CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", [database]);
    await connection.query("USE ??", [database]);
    await connection.query("SELECT GET_LOCK(?, 60)", [`migrate ${database}`]);
    await connection.query(
      "CREATE TABLE IF NOT EXISTS schema_migration (name VARCHAR(120) NOT NULL PRIMARY KEY, apply_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3))",
    );
    const [rows] = await connection.query<mysql.RowDataPacket[]>("SELECT name FROM schema_migration");
    const done = new Set(rows.map((row) => row.name));
    const due = folders.flatMap(migrationsIn).filter(({ name }) => !done.has(name));
    for (const { name, statements } of due) {
      for (const statement of statements) await connection.query(statement);
      await connection.query("INSERT INTO schema_migration (name) VALUES (?)", [name]);
    }
    return due.map(({ name }) => name);
  } finally {
    await connection.end();
  }
}

function migrationsIn(folder: string): { name: string; statements: string[] }[] {
  const files = readdirSync(folder).filter((file) => /^\d{4}_[a-z_]+\.sql$/.test(file));
  return files.sort().map((file) => {
    const text = readFileSync(path.join(folder, file), "utf8").replace(/^\s*--.*$/gm, "");
    const statements = text.split(/;\s*$/m).map((part) => part.trim());
    return {
      name: `${path.basename(path.dirname(folder))}/${file}`,
      statements: statements.filter((part) => part !== ""),
    };
  });
}
