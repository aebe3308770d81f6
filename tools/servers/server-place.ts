import type { Env } from "./command.ts";

/** Where a private server lives. */
export type ServerPlace = {
  dir: string;
  port: number;
  /** What the caller set; read for sizes only. */
  env: Env;
  /** What the process itself gets: no secrets of the caller. */
  baseEnv: Env;
};

export function baseEnvOf(env: Env): Env {
  const kept = ["PATH", "HOME", "LANG", "TMPDIR", "USER", "LOGNAME"];
  return Object.fromEntries(kept.filter((name) => env[name] !== undefined).map((name) => [name, env[name]]));
}
