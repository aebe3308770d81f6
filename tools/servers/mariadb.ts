import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { executable, lastLine, onPath, runCommand } from "./command.ts";
import { LaunchFailure } from "./failure.ts";
import { answers, mysqlGreeting } from "./probe.ts";
import type { ProcessSpec } from "./process-spec.ts";
import type { Program } from "./program.ts";
import type { ServerPlace } from "./server-place.ts";

/** A socket's path must fit 107 characters, end included. */
const socketPathMaxChars = 100;
const defaultBufferPool = "128M";
/** What one process may hold (lib/storage/mysql.ts), and what is left for tests, tools and people. */
const connectionsPerClient = 11;
const connectionsSpare = 60;
/** For one of each service, and tests beside them. */
const connectionsMin = 200;
/** A first start after a kill replays up to 96 MB of log. */
const readyTimeoutMs = 60_000;

/** ENOSPC, as MariaDB and the shell say it. */
const diskFullPattern = /error:? 28\b|Errcode: 28\b|No space left/i;

export type MariadbPasswords = { app: string; admin: string };

/** A private MariaDB (or MySQL 8): initialised once, its accounts set again at every start. */
export async function mariadbSpec({
  program,
  place,
  passwords,
  deployment,
  clients,
}: {
  program: Program;
  place: ServerPlace;
  passwords: MariadbPasswords;
  deployment: string;
  /** How many processes will hold connections all the time. */
  clients: number;
}): Promise<ProcessSpec> {
  const { dir, port, env, baseEnv } = place;
  await mkdir(join(dir, "tmp"), { recursive: true });
  const configFile = join(dir, "my.cnf");
  const initFile = join(dir, "accounts.sql");
  const dataDir = join(dir, "data");
  const processEnv = { ...baseEnv, ...program.env };
  const config = (data: string) => configText({ program, dir, dataDir: data, port, initFile, env, clients });
  if (!existsSync(dataDir)) {
    // A half-made directory must never be taken for a whole one.
    const fresh = `${dataDir}.new`;
    await rm(fresh, { recursive: true, force: true });
    await writeFile(configFile, config(fresh).replace(/^init_file.*\n/m, ""), { mode: 0o600 });
    await initialise(program, configFile, fresh, processEnv);
    await rename(fresh, dataDir);
  }
  await writeFile(configFile, config(dataDir), { mode: 0o600 });
  await writeFile(initFile, accountsSql(passwords, deployment), { mode: 0o600 });
  return {
    name: "mysql",
    version: program.version,
    address: `127.0.0.1:${port}`,
    file: program.file,
    args: [`--defaults-file=${configFile}`],
    env: processEnv,
    ready: async () => (await answers({ host: "127.0.0.1", port }, { pattern: mysqlGreeting })) !== undefined,
    readyTimeoutMs,
    stopTimeoutMs: 10_000,
  };
}

function configText({
  program,
  dir,
  dataDir,
  port,
  initFile,
  env,
  clients,
}: {
  program: Program;
  dir: string;
  dataDir: string;
  port: number;
  initFile: string;
  env: ServerPlace["env"];
  clients: number;
}): string {
  const base = program.rootDir === undefined ? undefined : join(program.rootDir, "usr");
  const unpacked = base && [
    `basedir = ${base}`,
    `lc_messages_dir = ${join(base, "share", "mysql")}`,
    `plugin_dir = ${join(base, "lib", "mysql", "plugin")}`,
    `character_sets_dir = ${join(base, "share", "mysql", "charsets")}`,
  ];
  return [
    "[mysqld]",
    ...(unpacked || []),
    // As root it refuses to run without being told; as anyone else it runs as that user.
    ...(process.getuid?.() === 0 ? ["user = root"] : []),
    `datadir = ${dataDir}`,
    // Of its own: two that are initialised at once take each other's temporary tables away.
    `tmpdir = ${join(dir, "tmp")}`,
    `socket = ${socketPath(dir)}`,
    `pid_file = ${join(dir, "mysqld.pid")}`,
    `init_file = ${initFile}`,
    "bind_address = 127.0.0.1",
    `port = ${port}`,
    "skip_name_resolve",
    "skip_log_bin",
    "character_set_server = utf8mb4",
    "transaction_isolation = READ-COMMITTED",
    "sql_mode = STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO",
    "default_time_zone = +00:00",
    "innodb_flush_log_at_trx_commit = 1",
    "innodb_flush_method = O_DIRECT",
    `innodb_buffer_pool_size = ${env.MYSQL_BUFFER_POOL ?? defaultBufferPool}`,
    "innodb_lock_wait_timeout = 3",
    `max_connections = ${Math.max(connectionsMin, clients * connectionsPerClient + connectionsSpare)}`,
    "performance_schema = OFF",
    // A connection that only looks whether the server is there is not worth a line.
    "loose_log_warnings = 1",
    "loose_mysqlx = 0",
    "",
  ].join("\n");
}

function socketPath(dir: string): string {
  const inDir = join(dir, "mysqld.sock");
  if (inDir.length <= socketPathMaxChars) return inDir;
  return join(tmpdir(), `skein-${createHash("sha256").update(dir).digest("hex").slice(0, 16)}.sock`);
}

async function initialise(program: Program, configFile: string, dataDir: string, env: ServerPlace["env"]) {
  const installer = installerOf(program, env);
  const own = installer === undefined;
  const args = own ? ["--initialize-insecure"] : installArgs(program, dataDir);
  const done = await runCommand(installer ?? program.file, [`--defaults-file=${configFile}`, ...args], { env });
  if (done.exitCode === 0) return;
  const text = `${done.stdout}\n${done.stderr}`;
  const line = text.split("\n").find((each) => /\[?ERROR\]?|No space/.test(each)) ?? lastLine(text);
  await rm(dataDir, { recursive: true, force: true });
  if (diskFullPattern.test(text)) throw new LaunchFailure(`the disk that holds ${dataDir} is full; free some space`);
  throw new LaunchFailure(`MariaDB cannot initialise ${dataDir}: ${line.trim()}`);
}

function installArgs(program: Program, dataDir: string): string[] {
  const base = program.rootDir === undefined ? [] : [`--basedir=${join(program.rootDir, "usr")}`];
  return [
    ...base,
    `--datadir=${dataDir}`,
    `--user=${userInfo().username}`,
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    "--skip-name-resolve",
  ];
}

/** MySQL initialises itself; MariaDB has a script for it, beside the server. */
function installerOf(program: Program, env: ServerPlace["env"]): string | undefined {
  const name = "mariadb-install-db";
  const beside = [join(dirname(program.file), name), join(dirname(dirname(program.file)), "bin", name)];
  return beside.find(executable) ?? (program.rootDir === undefined ? onPath(name, env) : undefined);
}

/** Run before the server listens, at every start: no moment with an open root, and the keys file always fits. */
function accountsSql(passwords: MariadbPasswords, deployment: string): string {
  const account = (name: string, password: string, rights: string) => [
    `CREATE USER IF NOT EXISTS '${name}'@'127.0.0.1' IDENTIFIED BY '${password}';`,
    `ALTER USER '${name}'@'127.0.0.1' IDENTIFIED BY '${password}';`,
    `GRANT ALL ON ${rights} TO '${name}'@'127.0.0.1'${name === "admin" ? " WITH GRANT OPTION" : ""};`,
  ];
  return [
    ...["127.0.0.1", "::1", hostname().toLowerCase()].map((host) => `DROP USER IF EXISTS 'root'@'${host}';`),
    `ALTER USER IF EXISTS 'root'@'localhost' IDENTIFIED BY '${passwords.admin}';`,
    ...account("admin", passwords.admin, "*.*"),
    ...account("skein", passwords.app, `\`${deployment.replaceAll("_", "\\_")}\\_%\`.*`),
    "",
  ].join("\n");
}
