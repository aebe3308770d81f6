import type { JSONWebKeySet, JWK } from "jose";
import { type Env, need, whole, word } from "#lib/mesh/config.ts";
import type { Budget } from "#lib/storage/rate.ts";

/** The environment, read once. */
export function readConfig(env: Env = process.env) {
  return Object.freeze({
    /** Begins every schema, key and subject, so that several deployments share servers. */
    deployment: env.DEPLOYMENT ?? "skein",
    /** This replica's name, such as feed-1: in logs, spans and leases. */
    instance: need(env, "INSTANCE"),
    /** What it listens on; 0.0.0.0 in a container, whose ports are its own. */
    host: env.HOST ?? "127.0.0.1",
    /** Prometheus asks here, at /metrics. */
    metricsPort: whole(env, "METRICS_PORT", 0),
    /** HTTP/1.1: JSON, Connect, gRPC-web. */
    port: whole(env, "PORT", 0),
    /** HTTP/2 without TLS: gRPC. */
    grpcPort: whole(env, "GRPC_PORT", 0),
    /** Server reflection tells anybody the contracts, so it is for development. */
    reflects: word(env, "REFLECTION", ["0", "1"], "0") === "1",
    /** Whether anybody may have a request traced by sending Debug-Trace, so it is for development. */
    tracesForAll: word(env, "DEBUG_TRACE", ["0", "1"], "0") === "1",
    /** Whether /wrk2-api/* is there, which trusts whoever a request names: for load tests alone. */
    wrk2Api: word(env, "WRK2_API", ["0", "1"], "0") === "1",
    /** The mesh Envoys, with commas: http://host:port; without a proxy, each service: graph=http://host:port,user=… */
    meshUrl: need(env, "MESH_URL"),
    /** The server of read models and budgets: redis://:password@host:port. */
    redisUrl: need(env, "REDIS_URL"),
    /** Requests a second for good, and at once after a rest, by viewer or address. */
    budgets: {
      /** Reads of one viewer: a second / at once. */
      read: budget(env, "RATE_READ", "100/2000"),
      /** Writes of one viewer. */
      write: budget(env, "RATE_WRITE", "30/600"),
      /** Registrations and log-ins from one address. */
      credential: budget(env, "RATE_CREDENTIAL", "1.5/100"),
      /** Tries at one account from one address. */
      password: budget(env, "RATE_PASSWORD", "0.2/10"),
    },
    /** Bytes of posts kept as content, about 3 kB each; of authors as many. The least used go beyond that. */
    pieceBytesMax: whole(env, "PIECE_BYTES_MAX", 100_000_000),
    /** Where clients fetch media: https://host without a path, such as a CDN in front of /media/; empty: the API itself. */
    mediaOrigin: env.MEDIA_ORIGIN ?? "",
    /** Signs the tokens that name caller and viewer inside the mesh: 32 bytes or more, base64url; while it is changed, with
     *  commas: the first signs, all are believed. */
    internalKey: need(env, "INTERNAL_KEY"),
    /** What access tokens are checked with: the public Ed25519 JWK, or a set of them that differ in `kid`. */
    accessPublicKeys: publicKeys(need(env, "ACCESS_PUBLIC_KEY")),
    /** Where spans go (OTLP over HTTP); nowhere where it is absent. */
    otlpUrl: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    /** The least that is worth a line. */
    logLevel: word(env, "LOG_LEVEL", ["debug", "info", "warn", "error"], "info"),
    /** Milliseconds between failing the edge's health check and refusing, so that the edge notices first. */
    drainMs: whole(env, "DRAIN_MS", 1_500),
  });
}

/** `RATE_READ=100/2000`: 100 a second, 2,000 at once. */
function budget(env: Env, name: string, fallback: string): Budget {
  const text = env[name] || fallback;
  const [perSecond = 0, burst = 0, ...more] = text.split("/").map(Number);
  if (perSecond > 0 && Number.isInteger(burst) && burst > 0 && more.length === 0) return { perSecond, burst };
  throw new Error(`${name}=${text} is not <requests a second>/<requests at once>`);
}

/** The user service's Ed25519 keys, a JWK or a JWK set (RFC 7517): while one takes over from another, both are believed. */
function publicKeys(text: string): JWK[] {
  let sent: JWK | JSONWebKeySet;
  try {
    sent = JSON.parse(text) as JWK | JSONWebKeySet;
  } catch (cause) {
    throw new Error("ACCESS_PUBLIC_KEY is not JSON", { cause });
  }
  const keys = ("keys" in sent ? sent.keys : [sent]) as JWK[];
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) {
    throw new Error("the keys of ACCESS_PUBLIC_KEY do not differ in kid");
  }
  return keys.map(publicKey);
}

/** Only the public half: a private one here would be a leak. */
function publicKey(key: JWK): JWK {
  if (key.kty !== "OKP" || key.crv !== "Ed25519" || typeof key.x !== "string") {
    throw new Error("ACCESS_PUBLIC_KEY is not an Ed25519 JWK");
  }
  if (key.d !== undefined) throw new Error("ACCESS_PUBLIC_KEY holds a private key");
  return key;
}
