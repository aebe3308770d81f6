import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { createLog } from "#lib/mesh/log.ts";
import { run } from "#lib/mesh/run.ts";
import { meshTokens } from "#lib/mesh/token.ts";
import { command } from "../command.ts";
import { openSecrets } from "../containers/secrets.ts";

const dir = mkdtempSync(path.join(tmpdir(), "skein-containers-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const role = (...args: string[]) => command([process.execPath, "tools/containers/role.ts", ...args]);
const health = (...args: string[]) => command([process.execPath, "tools/containers/health.mjs", ...args]);

/** What of a Compose file is looked at here. */
type Model = {
  services: Record<
    string,
    {
      image: string;
      command: string[] | null;
      ports?: { host_ip?: string }[];
      secrets?: { source: string }[];
      user?: string;
      deploy?: { resources?: { limits?: { memory?: string } } };
      restart?: string;
    }
  >;
  secrets: Record<string, { file: string }>;
};

/** Compose as the file names it, or SKEIN_COMPOSE; the one judge of its own format. */
async function composeConfig(): Promise<Model | undefined> {
  process.env.SKEIN_SECRETS = path.join(dir, "secrets");
  const programs = [[process.env.SKEIN_COMPOSE || "docker-compose"], ["docker", "compose"]];
  for (const program of programs) {
    if ((await command([...program, "version"])).code !== 0) continue;
    const answer = await command([...program, "--file", "infra/docker-compose.yml", "config", "--format", "json"]);
    assert.equal(answer.code, 0, answer.output);
    return JSON.parse(answer.output) as Model;
  }
  return undefined;
}

test("Compose takes its file: limits on all, nothing published beyond this machine, no secret that is not made", async (t) => {
  const made = await openSecrets(path.join(dir, "secrets"));
  const model = await composeConfig();
  if (model === undefined) return t.skip("no docker compose here; SKEIN_COMPOSE names one");
  for (const [name, service] of Object.entries(model.services)) {
    assert.ok(service.deploy?.resources?.limits?.memory, `${name} has no limit of memory`);
    assert.ok(service.restart, `${name} is not started again`);
    for (const { host_ip } of service.ports ?? []) assert.equal(host_ip, "127.0.0.1", name);
    for (const { source } of service.secrets ?? []) assert.ok(made.includes(source), `${name}: ${source} is not made`);
    if (!service.image.startsWith("skein:")) continue;
    const known = await role("?");
    assert.match(known.output, new RegExp(`\\b${service.command?.[0]}\\b`), `${name} runs no role`);
  }
  for (const { file } of Object.values(model.secrets)) assert.ok(existsSync(file), file);
});

test("secrets are made once, for their owner's eyes", async () => {
  const place = path.join(dir, "twice");
  const made = await openSecrets(place);
  const read = () => made.map((name) => readFileSync(path.join(place, name), "utf8"));
  const before = read();
  assert.deepEqual(await openSecrets(place), []);
  assert.deepEqual(read(), before);
  assert.equal(statSync(place).mode & 0o777, 0o700);
  assert.ok(before.every((text) => text.length >= 16));
});

test("what the image writes for its Envoys is what Envoy takes, by names that the network resolves", async (t) => {
  process.env.CONFIG_DIR = path.join(dir, "generated");
  const written = await role("configure");
  assert.equal(written.code, 0, written.output);
  const config = (name: string) => path.join(dir, "generated", name);
  const prometheus = JSON.parse(readFileSync(config("prometheus.yml"), "utf8"));
  assert.equal(prometheus.scrape_configs.length, 10);
  const envoy = process.env.SKEIN_ENVOY;
  if (envoy === undefined) return t.skip("SKEIN_ENVOY is not set");
  for (const name of ["edge.json", "mesh.json"]) {
    const checked = await command([envoy, "--mode", "validate", "-c", config(name)]);
    assert.equal(checked.code, 0, checked.output);
  }
});

test("a container's health is what its process says of itself", async () => {
  const key = Buffer.alloc(32, 7).toString("base64url");
  let isWell = true;
  const running = await run({
    log: createLog({ name: "health", level: "error" }),
    tokens: meshTokens(key),
    host: "127.0.0.1",
    port: 0,
    services: [],
    loops: [],
    ready: async () => (isWell ? undefined : Promise.reject(new Error("no database"))),
    drainMs: 0,
    close: [],
  });
  const ask = async () => (await health("grpc", String(running.port))).code;
  assert.equal(await ask(), 0);
  isWell = false;
  const ends = Date.now() + 20_000;
  let code = await ask();
  while (code === 0 && Date.now() < ends) code = await ask();
  assert.equal(code, 1);
  await running.stop();
  assert.equal(await ask(), 1, "nobody is there");
});

test("a role that is none is named, with those that are", async () => {
  const { code, output } = await role("moderator");
  assert.equal(code, 2);
  assert.match(output, /no role "moderator"; there are graph, .*bff, migrate/);
});
