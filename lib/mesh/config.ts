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

/** The settings all services share. What each means is read from here into docs/configuration.md. */
export function serviceConfig(env: Env) {
  return {
    /** Begins every schema, key and subject, so that several deployments share servers. */
    deployment: env.DEPLOYMENT ?? "skein",
    /** This replica's name, such as feed-1: in logs, spans and leases. */
    instance: need(env, "INSTANCE"),
    /** What it listens on; 0.0.0.0 in a container, whose ports are its own. */
    host: env.HOST ?? "127.0.0.1",
    /** gRPC; 0 takes a free one. */
    port: whole(env, "PORT", 0),
    /** Prometheus asks here, at /metrics. */
    metricsPort: whole(env, "METRICS_PORT", 0),
    /** The server of truth: mysql://user:password@host:port. Its schemas are named after the deployment. */
    mysqlUrl: need(env, "MYSQL_URL"),
    /** The server of read models and budgets: redis://:password@host:port. */
    redisUrl: need(env, "REDIS_URL"),
    /** The server of facts: nats://user:password@host:port, 2.12 or newer. */
    natsUrl: need(env, "NATS_URL"),
    /** The mesh Envoys, with commas: http://host:port; without a proxy, each service: graph=http://host:port,user=… */
    meshUrl: need(env, "MESH_URL"),
    /** Signs the tokens that name caller and viewer inside the mesh: 32 bytes or more, base64url; while it is changed, with
     *  commas: the first signs, all are believed. */
    internalKey: need(env, "INTERNAL_KEY"),
    /** Signs page tokens and hides what they hold: 32 bytes or more, base64url; changed as INTERNAL_KEY is. */
    cursorKey: need(env, "CURSOR_KEY"),
    /** Where spans go (OTLP over HTTP); nowhere where it is absent. */
    otlpUrl: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    /** The least that is worth a line. */
    logLevel: word(env, "LOG_LEVEL", ["debug", "info", "warn", "error"], "info"),
    /** Milliseconds between saying "not serving" and refusing, so that callers notice first. */
    drainMs: whole(env, "DRAIN_MS", 2_500),
  };
}
