import Koa from "koa";
import type { Log } from "#lib/mesh/log.ts";
import type { Binding } from "./door/binding.ts";
import { door } from "./door/door.ts";
import type { State } from "./door/state.ts";
import { errors } from "./middleware/errors.ts";
import { headers } from "./middleware/headers.ts";
import { health, type Readiness } from "./middleware/health.ts";
import { requestId } from "./middleware/request-id.ts";
import { type Lateness, shed } from "./middleware/shed.ts";
import type { Session } from "./session.ts";

export type App = Koa<State>;

type Parts = {
  readonly log: Log;
  readonly bindings: readonly Binding[];
  readonly session: Session;
  readonly readiness: Readiness;
  readonly lateness: Pick<Lateness, "isLate">;
};

/** The onion, in order. */
export function createApp({ log, bindings, session, readiness, lateness }: Parts): App {
  const app: App = new Koa<State>({ env: "production" });
  app.use(requestId);
  app.use(headers);
  app.use(errors(log));
  app.use(health(readiness));
  app.use(shed(lateness));
  app.use(door(bindings, session));
  // A socket that broke under an answer; everything else ends in `errors`.
  app.on("error", (error: unknown) => log.warn("answer cut short", { error }));
  return app;
}
