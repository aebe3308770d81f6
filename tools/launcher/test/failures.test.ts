import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { executable } from "../../servers/command.ts";
import { findFreeBase } from "../ports.ts";
import { instanceDir, runLauncher } from "./support.ts";

/** Nobody listens on the discard port: whoever is sent there is refused at once. */
const deadProxy = "http://127.0.0.1:9";
const noNetwork = {
  http_proxy: deadProxy,
  https_proxy: deadProxy,
  HTTP_PROXY: deadProxy,
  HTTPS_PROXY: deadProxy,
  PIP_NO_CACHE_DIR: "1",
  PIP_FIND_LINKS: "",
};

type Setting = { args: string[]; env: Record<string, string> };
type Failure = {
  name: string;
  exitCode: number;
  message: RegExp;
  set(dir: string, base: number): Promise<Setting & { close?: () => void }>;
};

const failures: Failure[] = [
  {
    name: "a taken port is named with who has it and what to do",
    exitCode: 1,
    message: /port \d+ is taken by .*\(pid \d+\); stop it or use --port-base/,
    async set(_dir, base) {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(base + 3, "127.0.0.1", resolve));
      return { args: [], env: {}, close: () => server.close() };
    },
  },
  {
    name: "a program named in the environment that is too old is refused",
    exitCode: 1,
    message: /SKEIN_NATS_SERVER: .*nats-server is 2\.9\.10, and NATS 2\.12 or newer is needed/,
    async set(dir) {
      const file = await oldNats(dir);
      return { args: [], env: { SKEIN_NATS_SERVER: file } };
    },
  },
  {
    name: "a program on PATH that is too old is named when nothing better can be fetched",
    exitCode: 1,
    message: / missing: .*nats-server is 2\.9\.10, and NATS 2\.12 or newer is needed/,
    async set(dir) {
      const bin = join(await oldNats(dir), "..");
      const env = { ...noNetwork, PATH: [bin, process.env.PATH].join(delimiter), SKEIN_CACHE: join(dir, "cache") };
      return { args: [], env };
    },
  },
  {
    name: "without a network, what is missing is named with the way to get it",
    exitCode: 1,
    message: / is missing: .*; check the network or proxy and start again, or .*; also missing: /,
    async set(dir) {
      const env = { ...noNetwork, PATH: await pathWithout(dir, "nats-server"), SKEIN_CACHE: join(dir, "cache") };
      return { args: [], env };
    },
  },
  {
    name: "a cache that cannot be written is named with the variable that moves it",
    exitCode: 1,
    message: /^skein: cannot write \/dev\/null\/cache \(ENOTDIR\); set SKEIN_CACHE/m,
    async set(dir) {
      return { args: [], env: { PATH: await pathWithout(dir, "nats-server"), SKEIN_CACHE: "/dev/null/cache" } };
    },
  },
  {
    name: "an instance directory that cannot be written is named with the option that moves it",
    exitCode: 1,
    message: /cannot write \/dev\/null\/instance \(ENOTDIR\); use --dir or SKEIN_DIR/,
    set: async () => ({ args: ["--dir", "/dev/null/instance"], env: {} }),
  },
  {
    name: "an address in the environment where nobody answers is refused",
    exitCode: 1,
    message: /NATS_URL \(127\.0\.0\.1:9\): no NATS answers there; start it or unset NATS_URL/,
    set: async () => ({ args: [], env: { NATS_URL: "nats://127.0.0.1:9" } }),
  },
  {
    name: "a server that ends at its start is told with its last words and its log",
    exitCode: 1,
    message: /nats ended \(exit code 7\): this disk is haunted; the whole log is .*nats\.log/,
    async set(dir) {
      const words = 'case "$1" in --version) echo v2.12.0;; *) echo "this disk is haunted"; exit 7;; esac';
      const file = await script(join(dir, "broken", "nats-server"), words);
      return { args: [], env: { SKEIN_NATS_SERVER: file } };
    },
  },
  {
    name: "an unknown option is wrong usage",
    exitCode: 2,
    message: /Unknown option '--prot-base'; --help lists the options/,
    set: async () => ({ args: ["--prot-base", "1"], env: {} }),
  },
];

for (const { name, exitCode, message, set } of failures) {
  test(name, { timeout: 120_000 }, async (context) => {
    const dir = await instanceDir(context);
    const base = await findFreeBase();
    const { args, env, close } = await set(dir, base);
    context.after(() => close?.());
    const first = ["start", "--servers-only", "--dir", join(dir, "instance"), "--port-base", String(base)];
    const outcome = await runLauncher([...first, ...args], env);
    assert.match(outcome.stderr, message);
    assert.equal(outcome.exitCode, exitCode);
    const last = outcome.stderr.trim().split("\n").at(-1) ?? "";
    assert.match(last, message, "the failure is one line, and the last one");
  });
}

async function oldNats(dir: string): Promise<string> {
  return script(join(dir, "old", "nats-server"), 'echo "nats-server: v2.9.10"');
}

async function script(file: string, text: string): Promise<string> {
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return file;
}

/** A PATH on which everything is found but one program. */
async function pathWithout(dir: string, name: string): Promise<string> {
  const dirs = (process.env.PATH ?? "").split(delimiter);
  assert.ok(!executable(join("/usr/sbin", name)), `${name} is in /usr/sbin, which is always searched`);
  const kept = dirs.filter((each) => !executable(join(each, name)));
  // `node` may have stood beside it.
  await symlink(process.execPath, join(dir, "node"));
  return [dir, ...kept].join(delimiter);
}
