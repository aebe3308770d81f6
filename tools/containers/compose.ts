import { spawn } from "node:child_process";
import path from "node:path";
import { root } from "../command.ts";
import { type Env, runCommand } from "../servers/command.ts";
import { LaunchFailure } from "../servers/failure.ts";
import { openSecrets } from "./secrets.ts";

const askMs = 10_000;
const file = path.join(root, "infra/docker-compose.yml");

/** Where the secrets of the Compose deployment are; SKEIN_SECRETS names another place. */
const secretsDir = (env: Env): string => path.resolve(env.SKEIN_SECRETS || path.join(root, ".skein/compose"));

/** Whether containers can be started here: the engine answers, and it has Compose. */
export async function composeWorks(env: Env): Promise<boolean> {
  const asked = await Promise.all(
    [["compose", "version"], ["info"]].map((args) =>
      runCommand("docker", args, { env, timeoutMs: askMs }).catch(() => ({ exitCode: 1 })),
    ),
  );
  return asked.every(({ exitCode }) => exitCode === 0);
}

/** Runs `docker compose` on the whole system with this terminal; makes what secrets it lacks. Answers its exit code. */
export async function compose(args: readonly string[], env: Env): Promise<number> {
  const dir = secretsDir(env);
  await openSecrets(dir);
  const child = spawn("docker", ["compose", "--file", file, ...args], {
    stdio: "inherit",
    env: { ...env, SKEIN_SECRETS: dir },
  });
  return new Promise((resolve, reject) => {
    child.on("error", (cause) =>
      reject(new LaunchFailure(`docker cannot be run (${cause.message}); install Docker with Compose 2.23`, { cause })),
    );
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** Builds, starts, and waits until everything is well. */
export const composeUp = (env: Env): Promise<number> => compose(["up", "--build", "--detach", "--wait"], env);
