import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { countOf, exitCodeOf, parsed, usage } from "../tools/cli.ts";
import { root } from "../tools/command.ts";
import { createProgress, type Progress } from "../tools/progress.ts";
import { exitCodes } from "../tools/servers/failure.ts";
import { openMeter, type Point } from "./curves/cost.ts";
import { type Curve, curves } from "./curves/curves.ts";
import { plot } from "./curves/plot.ts";
import { type Client, startClient } from "./load/processes.ts";
import { resultOf } from "./suite/report.ts";
import { pin, startSystem } from "./suite/system.ts";
import { settle } from "./suite/town.ts";

const names = Object.keys(curves);

const help = `node bench/scale.ts [options]     what pages and posts cost against what there is of everything

Measures CPU of every process and what is asked of the stores, an operation, through both Envoys, less what an idle system
does by itself; the load is eight connections back to back.

  --curve LIST    which (default all): ${names.join(", ")}
  --seconds N     of each point (default 4)
  --dir DIR       an instance of npm run bench to use again (1,000 people, 100 follows, 20 posts)
  --plot          draw each curve into docs/scale/
  --json          {curves, machine, commit} on stdout
  --help          this page

Exit codes: 0 done, 1 failed, 2 wrong usage.`;

/** Of one point. */
const secondsMax = 600;
const size = { users: 1_000, follows: 100, posts: 20 };
const cores = "0,1";

process.exitCode = await exitCodeOf("scale", main);

async function main(): Promise<number> {
  const { values } = parsed({
    options: {
      curve: { type: "string", default: names.join(",") },
      seconds: { type: "string", default: "4" },
      dir: { type: "string" },
      plot: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const wanted = values.curve.split(",");
  const unknown = wanted.find((name) => curves[name] === undefined);
  if (unknown !== undefined) throw usage(`--curve ${unknown}: there are ${names.join(", ")}`);
  const seconds = countOf("seconds", values.seconds, secondsMax);
  const dir = values.dir === undefined ? mkdtempSync(join(tmpdir(), "skein-scale-")) : resolve(values.dir);
  const isPinned = pin(cores);
  const [client, progress] = [startClient(), createProgress()];
  try {
    const found: Record<string, readonly Point[]> = {};
    for (const name of wanted) {
      const curve = curves[name] as Curve;
      found[name] = await pointsOf(curve, { dir, client, progress, seconds });
      if (values.plot) draw(name, curve, found[name]);
    }
    const { machine, commit } = resultOf([], { cores, isPinned });
    console.log(values.json ? JSON.stringify({ curves: found, machine, commit }) : tableOf(found));
    return exitCodes.ok;
  } finally {
    progress.end();
    client.stop();
    if (values.dir === undefined) rmSync(dir, { recursive: true, force: true });
  }
}

type Needs = { readonly dir: string; readonly client: Client; readonly progress: Progress; readonly seconds: number };

/** Levels that want the same replicas share a start of the system. */
async function pointsOf(
  { levels, replicasOf = () => 1, title, measure }: Curve,
  { dir, client, progress, seconds }: Needs,
): Promise<Point[]> {
  const points: Point[] = [];
  for (const [replicas, some] of Map.groupBy(levels, replicasOf)) {
    const system = await startSystem({ dir, envoy: true, env: {}, replicas: { bff: replicas, feed: replicas } });
    try {
      const town = await settle(system, size, progress);
      const meter = await openMeter(system);
      for (const level of some) {
        progress.update({ what: title, done: points.length, total: levels.length });
        points.push(await measure({ system, town, client, meter, progress, seconds }, level));
      }
      await meter.close();
    } finally {
      await system.stop();
    }
  }
  return points;
}

function draw(name: string, { title, unit }: Curve, points: readonly Point[]): void {
  const place = join(root, "docs", "scale");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, `${name}.svg`), plot({ title, unit, points }));
}

function tableOf(found: Readonly<Record<string, readonly Point[]>>): string {
  const lines = Object.entries(found).flatMap(([name, points]) => [
    `${name}: ${curves[name]?.unit}`,
    ...points.map(({ x, cpuUs, redisTrips, redisCommands, sqlStatements }) => {
      const cpu = Object.entries(cpuUs).sort(([, a], [, b]) => b - a);
      const sum = cpu.reduce((all, [, us]) => all + us, 0);
      const dear = cpu.filter(([, us]) => us >= sum / 50).map(([process, us]) => `${process} ${Math.round(us)}`);
      return `  ${String(x).padStart(9)}  ${Math.round(sum)} µs (${dear.join(" · ")}), Redis ${redisTrips} trips ${redisCommands} commands, SQL ${sqlStatements}`;
    }),
  ]);
  return lines.join("\n");
}
