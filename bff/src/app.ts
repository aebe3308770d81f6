import Koa from "koa";
import type { Log } from "#lib/mesh/log.ts";
import { bind } from "./door/binding.ts";
import { door } from "./door/door.ts";
import type { Gate } from "./door/policy.ts";
import type { Rpc } from "./door/rpc.ts";
import type { Middleware, State } from "./door/state.ts";
import { docs } from "./middleware/docs.ts";
import { errors } from "./middleware/errors.ts";
import { headers } from "./middleware/headers.ts";
import { health, type Readiness } from "./middleware/health.ts";
import { measure } from "./middleware/measure.ts";
import { type Naming, requestId } from "./middleware/request-id.ts";
import { type Admission, shed } from "./middleware/shed.ts";

export type App = Koa<State>;

type Parts = Gate & {
  readonly log: Log;
  readonly rpcs: readonly Rpc[];
  readonly readiness: Readiness;
  readonly admission: Admission;
  readonly name: Naming;
  /** What answers before the door, where it is asked for; it sheds by itself. */
  readonly more?: readonly Middleware[];
};

/** The onion, in order. */
export function createApp({ log, rpcs, readiness, admission, name, more = [], ...gate }: Parts): App {
  const app: App = new Koa<State>({ env: "production" });
  app.use(requestId(name));
  app.use(headers);
  app.use(errors(log));
  app.use(measure);
  app.use(health(readiness));
  for (const each of more) app.use(each);
  app.use(shed(admission));
  app.use(docs(gate));
  app.use(door(bind(rpcs), gate));
  // A socket that broke under an answer; everything else ends in `errors`.
  app.on("error", (error: unknown) => log.warn("answer cut short", { error }));
  return app;
}
