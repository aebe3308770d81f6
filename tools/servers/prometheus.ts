import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { prometheusConfig, type Target } from "../../infra/grafana/prometheus.ts";
import { exitCodes, LaunchFailure } from "./failure.ts";
import { httpStatus } from "./probe.ts";
import type { ProcessSpec } from "./process-spec.ts";
import type { Program } from "./program.ts";
import type { ServerPlace } from "./server-place.ts";

/** Enough to look back over a weekend, and no more disk than that. */
const keptTime = "3d";
const keptSize = "512MB";
/** On one machine a scrape costs little, and a person who tries something wants to see it soon. */
const defaultIntervalSeconds = 5;

const rulesFile = join(import.meta.dirname, "..", "..", "infra", "grafana", "rules.yml");

/** A private Prometheus that scrapes the processes of an instance and weighs the project's alerts. */
export async function prometheusSpec({
  program,
  place: { dir, port, env, baseEnv },
  targets,
}: {
  program: Program;
  place: ServerPlace;
  targets: readonly Target[];
}): Promise<ProcessSpec> {
  await mkdir(dir, { recursive: true });
  const configFile = join(dir, "prometheus.yml");
  const config = prometheusConfig({
    targets,
    rules: env.PROMETHEUS_RULES || rulesFile,
    intervalSeconds: intervalOf(env.PROMETHEUS_INTERVAL_SECONDS),
  });
  await writeFile(configFile, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  const address = `http://127.0.0.1:${port}`;
  return {
    name: "prometheus",
    version: program.version,
    address,
    file: program.file,
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--storage.tsdb.retention.time=${keptTime}`,
      `--storage.tsdb.retention.size=${keptSize}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
      ...webPages(program),
    ],
    env: { ...baseEnv, ...program.env },
    healthUrl: `${address}/-/ready`,
    ready: async () => (await httpStatus(`${address}/-/ready`)) === 200,
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 5_000,
  };
}

/** Debian's build looks for its pages in the system; unpacked, they are elsewhere. Its list of alerts is at /classic/alerts. */
const webPages = ({ rootDir }: Program): string[] =>
  rootDir === undefined ? [] : [`--web.local-assets=${join(rootDir, "usr/share/prometheus/web")}/`];

function intervalOf(text: string | undefined): number {
  const seconds = Number(text || defaultIntervalSeconds);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 300) return seconds;
  throw new LaunchFailure(`PROMETHEUS_INTERVAL_SECONDS=${text} is not 1 to 300`, { exitCode: exitCodes.usage });
}
