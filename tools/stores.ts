import { type Env, instanceDir } from "./cli.ts";
import { holderOf } from "./launcher/claim.ts";
import { readState } from "./launcher/state.ts";
import { exitCodes, LaunchFailure } from "./servers/failure.ts";

/** The stores of a system, for commands that work on what a service keeps and not on what it answers. */
export type Stores = {
  readonly mysqlUrl: string;
  readonly redisUrl: string;
  readonly deployment: string;
  /** Where a command keeps how far it is. */
  readonly dir: string;
};

/** Named by the environment (MYSQL_URL, REDIS_URL, DEPLOYMENT), unless --dir says which, or those of what runs there. */
export function findStores({ dir, env }: { dir: string | undefined; env: Env }): Stores {
  const place = instanceDir(dir, env);
  const { MYSQL_URL: mysqlUrl, REDIS_URL: redisUrl, DEPLOYMENT: deployment = "skein" } = env;
  if (dir === undefined && mysqlUrl && redisUrl) return { mysqlUrl, redisUrl, deployment, dir: place };
  const state = holderOf(place) === undefined ? undefined : readState(place);
  if (state?.servers === undefined) {
    throw new LaunchFailure(`nothing runs in ${place}: run npm start first`, { exitCode: exitCodes.notRunning });
  }
  return { ...state.servers, deployment: state.deployment, dir: place };
}
