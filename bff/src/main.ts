import { createLog, type Log } from "#lib/mesh/log.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { createApp } from "./app.ts";
import { createClients } from "./clients.ts";
import { readConfig } from "./config.ts";
import { watchLateness } from "./middleware/shed.ts";
import { publicBindings } from "./routes/routes.ts";
import { listen, type Server } from "./server.ts";
import { createSession } from "./session.ts";

const config = readConfig();
const log = createLog({ name: config.instance, level: config.logLevel });
const transport = grpcTransport({ address: config.meshUrl, caller: "bff", key: config.internalKey });
const bindings = publicBindings(createClients(transport, log));
const session = await createSession(config.accessPublicKey);
const lateness = watchLateness(log);
const readiness = { serving: false };
const app = createApp({ log, bindings, session, readiness, lateness });
const server = await listen({ app, log, readiness, port: config.port, drainMs: config.drainMs });

leaveOnSignal(server, log);
log.info("ready", { port: server.port, deployment: config.deployment });

/** SIGTERM and SIGINT drain; a stray error is a bug: it is logged, what is in flight is finished, and we end with 1. */
function leaveOnSignal(running: Server, log: Log): void {
  const leave = (exitCode: number) => {
    process.exitCode = exitCode;
    lateness.close();
    void running.stop().then(() => {
      transport.close();
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
