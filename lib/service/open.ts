import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { openBus } from "#lib/events/bus.ts";
import { createConsumer } from "#lib/events/consume.ts";
import { type Leases, leases } from "#lib/events/lease.ts";
import { createRelay } from "#lib/events/relay.ts";
import type { serviceConfig } from "#lib/mesh/config.ts";
import { watchDependencies } from "#lib/mesh/dependency-metrics.ts";
import { createLog } from "#lib/mesh/log.ts";
import { serveMetrics } from "#lib/mesh/metrics.ts";
import { type Loop, run, untilSignalled } from "#lib/mesh/run.ts";
import type { Hosted } from "#lib/mesh/serve.ts";
import { startTelemetry } from "#lib/mesh/telemetry.ts";
import { meshTokens } from "#lib/mesh/token.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { markApplied } from "#lib/readmodel/applied.ts";
import { readModelScripts } from "#lib/readmodel/families.ts";
import { places } from "#lib/readmodel/places.ts";
import { vouch } from "#lib/readmodel/trust.ts";
import { witness } from "#lib/readmodel/witness.ts";
import { openMysql } from "#lib/storage/mysql.ts";
import { openRedis } from "#lib/storage/redis.ts";

type Config = ReturnType<typeof serviceConfig>;
type RelayParts = Pick<Parameters<typeof createRelay>[0], "fold" | "project">;
type ConsumerParts = Pick<Parameters<typeof createConsumer>[0], "noun" | "leases" | "concerns" | "apply" | "applied">;

/**
 * What every service stands on, opened from its settings: stores, bus, the way into the mesh, telemetry. What `relay`,
 * `consume` and `leases` set up runs from `run` on, and ends with it, in order. Waits for no server.
 */
export async function openService(noun: string, config: Config) {
  const { deployment, instance } = config;
  const log = createLog({ name: instance, level: config.logLevel });
  const telemetry = await startTelemetry({ name: instance, otlpUrl: config.otlpUrl });
  const metrics = await serveMetrics({ host: config.host, port: config.metricsPort });
  const db = openMysql({ url: config.mysqlUrl, database: `${deployment}_${noun}`, log });
  const redis = openRedis({ url: config.redisUrl, deployment, scripts: readModelScripts, log });
  const bus = openBus({ url: config.natsUrl, deployment, log });
  watchDependencies({ mysql: db.ping, redis: redis.ping, nats: bus.ping });
  const mesh = grpcTransport({ address: config.meshUrl, caller: noun, key: config.internalKey });
  const readers = witness({ redis, poll: bus.poll("redis"), log });
  const loops: Loop[] = [];

  /** Shares of work that the replicas of this service divide among them. */
  const share = (team: string): Leases => {
    const shared = leases({ db: db.background, team, holder: instance, log });
    loops.push(shared.loop);
    return shared;
  };

  return {
    db,
    redis,
    log,
    /** Whether readers obey what is written. Each service speaks for itself, also one that asks nothing. */
    readers,
    leases: share,

    /** A typed client of another service. */
    client: <S extends DescService>(desc: S): Client<S> => createClient(desc, mesh),

    /** What tells this service's facts. */
    relay(parts: RelayParts = {}) {
      const lowest = (of: string) => places.lowest(redis, of);
      const { project } = parts;
      const projectAndSay: typeof project = async (events) => {
        await project?.(events);
        // Sums are of nobody, and nobody asks after them.
        const ids = events.flatMap(({ id, actor }) => (actor === 0n ? [] : [id]));
        await markApplied(redis, noun, ids);
      };
      const relay = createRelay({
        noun,
        db: db.background,
        bus,
        leases: share("relay"),
        log,
        places: lowest,
        ...parts,
        ...(project && { project: projectAndSay, vouch: (caughtUp) => vouch(redis, noun, caughtUp) }),
      });
      loops.push(relay.loop);
      return relay;
    },

    /** Hears the facts of another service. */
    consume(parts: ConsumerParts): void {
      const tell: Parameters<typeof createConsumer>[0]["tell"] = (of, positions) =>
        places.tell(redis, of, noun, positions);
      loops.push(createConsumer({ db: db.background, bus, log, tell, ...parts }).loop);
    },

    /**
     * Serves until SIGTERM. `more` are loops of the service's own; `ready` rejects while nothing at all can be answered: for
     * most, without their database.
     */
    async run(services: readonly Hosted[], more: readonly Loop[] = [], ready = (): Promise<void> => db.ping()) {
      const running = await run({
        log,
        tokens: meshTokens(config.internalKey),
        host: config.host,
        port: config.port,
        drainMs: config.drainMs,
        services,
        loops: [...loops, ...more],
        ready,
        close: [mesh.close, bus.close, redis.close, db.close, metrics.close, telemetry.close],
      });
      untilSignalled(running, log);
    },
  };
}
