import { existsSync } from "node:fs";
import { join } from "node:path";
import { exitCodeOf, parsed, usage } from "./cli.ts";
import { buildJaeger } from "./get/jaeger.ts";
import { cacheDirOf } from "./servers/cache.ts";
import { exitCodes } from "./servers/failure.ts";
import { jaegerCacheName, jaegerModule } from "./servers/jaeger.ts";

const help = `npm run get -- jaeger [--json]

Gets what npm start uses where it is there and never fetches by itself.

  jaeger    ${jaegerModule.title}, the trace store, built from its Go module into the cache: minutes on two cores, 2 GB of
            Go's own caches, 85 MB in the end. Needs Go and a Go module proxy, and nothing else; the module is pinned by its
            sum, what it needs by its go.sum. From its next start an instance keeps its traces there.

  --json    where it is, as JSON on stdout
  --help    this page

SKEIN_CACHE names the directory for what is fetched.
Exit codes: 0 there, 1 failed, 2 wrong usage.`;

process.exitCode = await exitCodeOf("get", main);

async function main(): Promise<number> {
  const { values, positionals } = parse();
  if (values.help) {
    console.log(help);
    return exitCodes.ok;
  }
  if (positionals.length !== 1 || positionals[0] !== "jaeger") throw usage("npm run get wants what to get: jaeger");
  const cacheDir = cacheDirOf(process.env);
  const file = join(cacheDir, jaegerCacheName, "bin", "jaeger");
  const wasThere = existsSync(file);
  if (!wasThere) await buildJaeger({ cacheDir, env: process.env });
  console.error(`get: ${jaegerModule.title} is ${wasThere ? "already " : ""}at ${file}; npm start uses it from now on`);
  if (values.json) console.log(JSON.stringify({ name: "jaeger", version: jaegerModule.version, file, wasThere }));
  return exitCodes.ok;
}

function parse() {
  const options = { json: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;
  return parsed({ options, allowPositionals: true });
}
