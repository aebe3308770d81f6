import { compose, composeUp, composeWorks } from "./containers/compose.ts";
import { exitCodeOf } from "./operator.ts";
import { exitCodes, LaunchFailure } from "./servers/failure.ts";

const help = `npm run compose [-- <what docker compose takes>]     the whole system in containers

Without arguments, or with \`up\` alone: builds the image, starts everything and waits until it is well. All else is
handed to \`docker compose\` with infra/docker-compose.yml: ps, logs -f feed, down, down --volumes, config, …
Secrets are made once, in .skein/compose; SKEIN_SECRETS names another directory.

  npm run compose -- exec feed node tools/containers/role.ts seed --users 100       people and posts to look at
  npm run compose -- exec feed node tools/containers/role.ts explain feed <user> <post>

EDGE_PORT, JAEGER_PORT, PROMETHEUS_PORT and GRAFANA_PORT say where they are on 127.0.0.1 (8080, 16686, 9090, 3000).

Exit codes: those of docker compose; 1 where Docker or its engine is missing.`;

const args = process.argv.slice(2);
process.exitCode = await exitCodeOf("compose", main);

async function main(): Promise<number> {
  if (args[0] === "--help" || args[0] === "-h") {
    console.log(help);
    return exitCodes.ok;
  }
  // What only reads the file needs no engine.
  if (args[0] !== "config" && !(await composeWorks(process.env)))
    throw new LaunchFailure(
      "no Docker engine with Compose answers; install Docker, or run npm start without containers",
    );
  return args.length === 0 || (args.length === 1 && args[0] === "up")
    ? composeUp(process.env)
    : compose(args, process.env);
}
