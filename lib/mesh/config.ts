/** Reads one process's settings from its environment; each `config.ts` is the only caller. */
export type Env = Readonly<Record<string, string | undefined>>;

/** The value of a variable that must be there. A missing one fails the start and is named. */
export function need(env: Env, name: string): string {
  const value = env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set: the environment must name it`);
  return value;
}

/** A whole number, or `fallback` where the variable is absent. */
export function whole(env: Env, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name}=${text} is not a whole number`);
  return value;
}

/** One of the words allowed, or `fallback` where the variable is absent. */
export function word<const W extends string>(env: Env, name: string, words: readonly W[], fallback: W): W {
  const text = env[name] ?? "";
  if (text === "") return fallback;
  const found = words.find((candidate) => candidate === text);
  if (found === undefined) throw new Error(`${name}=${text} is none of ${words.join(", ")}`);
  return found;
}

/** The settings all services share. Addresses are URLs; keys are base64url. */
export function serviceConfig(env: Env) {
  return {
    deployment: env.DEPLOYMENT ?? "skein",
    instance: need(env, "INSTANCE"),
    /** What it listens on; 0.0.0.0 in a container, whose ports are its own. */
    host: env.HOST ?? "127.0.0.1",
    port: whole(env, "PORT", 0),
    /** Prometheus asks here, at /metrics. */
    metricsPort: whole(env, "METRICS_PORT", 0),
    mysqlUrl: need(env, "MYSQL_URL"),
    redisUrl: need(env, "REDIS_URL"),
    natsUrl: need(env, "NATS_URL"),
    meshUrl: need(env, "MESH_URL"),
    internalKey: need(env, "INTERNAL_KEY"),
    cursorKey: need(env, "CURSOR_KEY"),
    /** Where spans go (OTLP over HTTP); nowhere where it is absent. */
    otlpUrl: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    logLevel: word(env, "LOG_LEVEL", ["debug", "info", "warn", "error"], "info"),
    drainMs: whole(env, "DRAIN_MS", 2_500),
  };
}
