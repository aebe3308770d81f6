import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Keys, openKeys } from "../launcher/keys.ts";

/**
 * Makes the secrets of a Compose deployment, once: what is there stays. A file is readable by all, since the process in
 * the container is another user than who made it, and the directory is its owner's alone, so nobody on the host gets in.
 */
export async function openSecrets(dir: string): Promise<readonly string[]> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const files = secretFiles(await openKeys(dir));
  const missing = Object.entries(files).filter(([name]) => !existsSync(path.join(dir, name)));
  for (const [name, text] of missing) writeFileSync(path.join(dir, name), text, { mode: 0o444 });
  return missing.map(([name]) => name);
}

function secretFiles({ mysql, redis, nats, access, internal, cursor }: Keys): Record<string, string> {
  const natsConfig = {
    server_name: "skein",
    port: 4222,
    http_port: 8222,
    max_payload: 1024 * 1024,
    authorization: { user: "skein", password: nats },
    jetstream: { store_dir: "/data", sync_interval: "1s" },
  };
  return {
    mysql_root_password: mysql.admin,
    // Run once, when the database is made: services get their own schemas and nothing else.
    "accounts.sql": [
      `CREATE USER 'skein'@'%' IDENTIFIED BY '${mysql.app}';`,
      "GRANT ALL ON `skein\\_%`.* TO 'skein'@'%';",
      "",
    ].join("\n"),
    mysql_url: `mysql://skein:${mysql.app}@mysql:3306`,
    redis_password: redis,
    // Nothing is kept: an old read model is worse than none.
    "redis.conf": [
      "bind * -::*",
      "port 6379",
      `requirepass ${redis}`,
      'save ""',
      "appendonly no",
      "maxmemory 512mb",
      "maxmemory-policy volatile-lru",
      "set-max-intset-entries 4096",
      "",
    ].join("\n"),
    redis_url: `redis://:${redis}@redis:6379`,
    "nats.json": JSON.stringify(natsConfig, undefined, 2),
    nats_url: `nats://skein:${nats}@nats:4222`,
    internal_key: internal,
    cursor_key: cursor,
    access_key: JSON.stringify(access.private),
    access_public_key: JSON.stringify(access.public),
    grafana_password: randomBytes(12).toString("base64url"),
  };
}
