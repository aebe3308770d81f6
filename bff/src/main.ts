import { watchDependencies } from "#lib/mesh/dependency-metrics.ts";
import { createLog, type Log } from "#lib/mesh/log.ts";
import { serveMetrics } from "#lib/mesh/metrics.ts";
import { startTelemetry } from "#lib/mesh/telemetry.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { rateScripts } from "#lib/storage/rate.ts";
import { openRedis } from "#lib/storage/redis.ts";
import { createApp } from "./app.ts";
import { createClients } from "./clients.ts";
import { readConfig } from "./config.ts";
import { debugTrace } from "./debug-trace.ts";
import { createConsistency } from "./door/consistency.ts";
import { createRpcDoor } from "./door/rpc-door.ts";
import { createLimits } from "./limits.ts";
import { naming } from "./middleware/request-id.ts";
import { createAdmission, watchLateness } from "./middleware/shed.ts";
import { publicRpcs } from "./routes/routes.ts";
import { listen, type Server } from "./server.ts";
import { createSession } from "./session.ts";
import { showMediaAt } from "./view/media.ts";
import { wrk2Api } from "./wrk2/api.ts";

const config = readConfig();
const log = createLog({ name: config.instance, level: config.logLevel });
const telemetry = await startTelemetry({ name: config.instance, otlpUrl: config.otlpUrl });
const metrics = await serveMetrics({ host: config.host, port: config.metricsPort });
const transport = grpcTransport({ address: config.meshUrl, caller: "bff", key: config.internalKey });
const redis = openRedis({ url: config.redisUrl, deployment: config.deployment, scripts: rateScripts, log });
watchDependencies({ redis: redis.ping });
const limits = createLimits(redis, config.budgets);
const clients = createClients(transport, log);
showMediaAt(config.mediaOrigin);
const rpcs = publicRpcs(clients, limits, config.pieceBytesMax);
const session = await createSession(config.accessPublicKeys);
const lateness = watchLateness(log);
const readiness = { serving: false };
const admission = createAdmission(lateness);
const name = naming(debugTrace({ key: config.internalKey, isOpen: config.tracesForAll }));
const consistency = createConsistency(config.internalKey);
const parts = { name, log, rpcs, session, limits, consistency, readiness, admission };
const app = createApp({ ...parts, more: config.wrk2Api ? [wrk2Api(clients, admission)] : [] });
if (config.wrk2Api) log.warn("/wrk2-api signs nobody in: for load tests alone");
const rpcDoor = createRpcDoor({ ...parts, reflects: config.reflects });
const { host, port, grpcPort, drainMs } = config;
const server = await listen({ app, rpcDoor, log, readiness, host, port, grpcPort, drainMs });

leaveOnSignal(server, log);
log.info("ready", { port: server.port, grpcPort: server.grpcPort, deployment: config.deployment });

/** SIGTERM and SIGINT drain; a stray error is a bug: it is logged, what is in flight is finished, and we end with 1. */
function leaveOnSignal(running: Server, log: Log): void {
  const leave = (exitCode: number) => {
    process.exitCode = exitCode;
    lateness.close();
    void running.stop().then(async () => {
      transport.close();
      redis.close();
      await metrics.close();
      await telemetry.close();
      process.exit();
    });
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      log.info("draining", { signal });
      leave(0);
    });
  }
  for (const stray of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(stray, (error) => {
      log.error("crashed", { error });
      leave(1);
    });
  }
}
