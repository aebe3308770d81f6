import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createProgress } from "../../tools/progress.ts";
import { startBare, startClient } from "../load/processes.ts";
import { openJudge } from "./judge.ts";
import { measure } from "./measure.ts";
import type { Options } from "./options.ts";
import { profiles } from "./profiles.ts";
import { resultOf } from "./report.ts";
import type { Result, Row } from "./row.ts";
import { spreads } from "./spread.ts";
import { pin, startSystem } from "./system.ts";
import { settle, shownOf } from "./town.ts";

/** Everything that was asked for, on a system of its own: one start for each way of starting it. */
export async function runSuite(options: Options): Promise<Result> {
  const dir = options.dir === undefined ? mkdtempSync(join(tmpdir(), "skein-bench-")) : resolve(options.dir);
  const isPinned = pin(options.cores);
  const about = resultOf([], { cores: options.cores, isPinned });
  const progress = createProgress();
  const [client, bare] = [startClient(), await startBare()];
  const rows: Row[] = [];
  const written = writtenIn(dir);
  try {
    for (const start of startsOf(options)) {
      progress.update({ what: "starting the system", done: 0 });
      const system = await startSystem({ dir, envoy: start.envoy, env: start.env(dir) });
      const judge = openJudge(system.oracle, system.instance.servers.mysqlUrl);
      try {
        const town = await settle(system, options.size, progress);
        const bench = {
          system,
          town,
          client,
          bare,
          judge,
          progress,
          written,
          cores: options.cores,
          rounds: options.rounds,
          seconds: options.seconds,
        };
        for (const name of start.names) {
          const profile = profiles[name];
          if (profile !== undefined) rows.push(await measure(bench, name, profile, options.connections));
          else rows.push(...((await spreads[name]?.(bench, options.celebrity)) ?? []));
        }
      } finally {
        writeFileSync(writtenFile(dir), JSON.stringify([...written]));
        await judge.close();
        await system.stop();
      }
    }
    return { ...about, rows };
  } finally {
    progress.end();
    client.stop();
    bare.stop();
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  }
}

const writtenFile = (dir: string): string => join(dir, "written.json");

/** How much each profile has written in a kept instance: what it would like next is not liked yet. */
const writtenIn = (dir: string): Map<string, number> =>
  new Map(
    existsSync(writtenFile(dir)) ? (JSON.parse(readFileSync(writtenFile(dir), "utf8")) as [string, number][]) : [],
  );

type Start = {
  readonly envoy: boolean;
  readonly env: (dir: string) => Readonly<Record<string, string>>;
  readonly names: readonly string[];
};

/** Without and with Envoy; and once more where the BFF is to keep half of what is shown, which is known by then. */
function startsOf({ envoys, profiles: names }: Options): Start[] {
  const usual = names.filter((name) => !profiles[name]?.isHalved);
  const halved = names.filter((name) => profiles[name]?.isHalved);
  return envoys.flatMap((envoy, nth): Start[] => {
    const isFirst = nth === 0 && halved.length > 0;
    return [
      ...(usual.length > 0 || isFirst ? [{ envoy, env: asUsual, names: usual }] : []),
      ...(halved.length > 0 ? [{ envoy, env: halfKept, names: halved }] : []),
    ];
  });
}

const asUsual = () => ({});
/** A post of this town as the BFF counts it. */
const pieceBytes = 3_500;
const halfKept = (dir: string) => ({ PIECE_BYTES_MAX: String(Math.max(1, Math.round(shownOf(dir) / 2)) * pieceBytes) });
