import type { Setting } from "./settings.ts";

const of = (variable: string, fallback: string, meaning: string, kind = "text"): Setting => ({
  variable,
  kind,
  fallback,
  meaning,
});

/** What the commands read from the environment beside their options; each process's own settings are in its config.ts. */
export const commandVariables: readonly Setting[] = [
  of("MYSQL_URL", "", "A MariaDB or MySQL to use instead of a private one."),
  of("REDIS_URL", "", "A Redis to use instead of a private one."),
  of("NATS_URL", "", "A NATS to use instead of a private one."),
  of("SKEIN_MARIADBD", "", "The program to start as MariaDB."),
  of("SKEIN_REDIS_SERVER", "", "The program to start as Redis."),
  of("SKEIN_NATS_SERVER", "", "The program to start as NATS."),
  of("SKEIN_ENVOY", "", "The program to start as Envoy."),
  of("SKEIN_PROMETHEUS", "", "The program to start as Prometheus."),
  of("SKEIN_JAEGER", "", "The program to start as Jaeger, where there is one."),
  of("SKEIN_CACHE", "$XDG_CACHE_HOME/skein", "What is fetched is kept here, for all clones."),
  of("SKEIN_DIR", ".skein", "The instance directory where no --dir says so."),
  of("SKEIN_DEMO_FILE", "", "Where the demo accounts are written, by who starts the seed."),
  of("SKEIN_SECRETS", ".skein/compose", "The secrets of the Compose deployment."),
  of("MYSQL_BUFFER_POOL", "128M", "Of the private MariaDB."),
  of("REDIS_MAXMEMORY", "512mb", "Of the private Redis."),
  of("NATS_SYNC_INTERVAL", "1s", "How much of the transport a power cut may cost; the outbox tells it again."),
  of("OTEL_EXPORTER_OTLP_ENDPOINT", "", "A collector for all spans, instead of the store beside."),
  of("OTEL_SDK_DISABLED", "", "`true` keeps no traces at all."),
  of("TRACE_PERCENT", "1", "How many percent of the requests are traced although nobody asked.", "0 to 100"),
  of("PROMETHEUS_INTERVAL_SECONDS", "5", "How often Prometheus scrapes.", "1 to 300"),
  of("PROMETHEUS_RULES", "infra/grafana/rules.yml", "Another file of alert rules."),
  of("DEPLOYMENT", "skein", "Begins every schema, key and subject."),
  of("EDGE_DOMAINS", "localhost,127.0.0.1,[::1],edge", "Host names that the edge in a container answers to."),
  of("EDGE_PORT", "8080", "Where Compose publishes the edge, on 127.0.0.1.", "whole number"),
  of("CONFIG_DIR", "/etc/skein/generated", "Where the role `configure` writes."),
  of("HOST", "0.0.0.0", "What Envoys in containers listen on."),
];

/** What belongs to the system, and what is a process's own setting that a command only hands on. */
export const passedOn = [
  ...["HOME", "PATH", "XDG_CACHE_HOME", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "PORT"],
  ...["MESH_URL", "INTERNAL_KEY", "LOG_LEVEL", "REFLECTION", "DEBUG_TRACE"],
];
