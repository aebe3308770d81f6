import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startSystem } from "../tests/support/system.ts";
import { countOf, exitCodeOf } from "../tools/cli.ts";
import { findSystem, openOperator } from "../tools/operator.ts";
import { createProgress } from "../tools/progress.ts";
import { holdConsumers } from "./backlog/consumers.ts";
import { openCrowd } from "./backlog/crowd.ts";
import { type Lag, openLive } from "./backlog/live.ts";
import { machine } from "./replicas/report.ts";

const help = `node bench/backlog.ts [--rate 100] [--stopped 120] [--before 30] [--live 4] [--json]

What a backlog of events costs, on a system of its own. Posts come in at --rate a second (imported, each author followed by
ten) all the time; people post --live a second besides and their followers read. After --before seconds the consumers of feed
stop for --stopped seconds (their shares of the work are held by another), then go on.
  caught up    until no more is unheard or not fanned out than one second's worth
  live lag     from the answer to a live post until the next read of a follower shows it; 5 to 20 s after it, it is looked
               for again: missing counts those that a read did not show
Exit code 1 where catching up took longer than the stop, the p99 of the live lag is above twice that of before, or a post was
missing.`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    json: { type: "boolean" },
    rate: { type: "string", default: "100" },
    stopped: { type: "string", default: "120" },
    before: { type: "string", default: "30" },
    live: { type: "string", default: "4" },
  },
});

/** Code and caches are cold before. */
const warmUpMs = 15_000;
const lookMs = 100;
/** A backlog that takes longer than the stop has failed, and this is enough to see how it goes on. */
const patience = 2;
const lagRatioMax = 2;

if (values.help) console.log(help);
else process.exitCode = await exitCodeOf("backlog", main);

async function main(): Promise<number> {
  const [rate, stopped] = [countOf("rate", values.rate, 1_000), countOf("stopped", values.stopped, 3_600)];
  const [before, perSecond] = [countOf("before", values.before, 600), countOf("live", values.live, 100)];
  const system = await startSystem();
  const operator = await openOperator(findSystem({ dir: system.dir, env: {} }));
  const consumers = await holdConsumers(system.instance.servers.mysqlUrl);
  const progress = createProgress();
  const phase = async (what: string, seconds: number) => {
    progress.say(`${what}, ${seconds} s`);
    await sleep(seconds * 1_000);
    return live.since();
  };
  const crowd = await openCrowd(system.edge, operator, rate);
  const live = await openLive(system.edge, perSecond);
  try {
    await phase("warming up", warmUpMs / 1_000);
    const usual = await phase("before", before);
    await consumers.stop();
    const during = await phase("consumers stopped", stopped);
    const backlog = await consumers.backlog();
    const goTime = Date.now();
    await consumers.go();
    while ((await consumers.backlog()) > rate && Date.now() - goTime < patience * stopped * 1_000) {
      progress.update({ what: "behind", done: await consumers.backlog() });
      await sleep(lookMs);
    }
    const caughtUpSeconds = Math.round((Date.now() - goTime) / 100) / 10;
    const catching = live.since();
    const after = await phase("after", before);
    const ratio = (lag: Lag) => Math.round((lag.p99Ms / usual.p99Ms) * 100) / 100;
    const [ratioStopped, ratioCatchingUp] = [ratio(during), ratio(catching)];
    const missing = [usual, during, catching, after].reduce((sum, lag) => sum + lag.missing, 0);
    const isKept =
      caughtUpSeconds <= stopped && Math.max(ratioStopped, ratioCatchingUp) <= lagRatioMax && missing === 0;
    const figures = { rate, stopped, backlog, caughtUpSeconds, ratioStopped, ratioCatchingUp, missing, isKept };
    const imported = crowd.imported();
    const result = { ...figures, imported, live: { usual, during, catching, after }, ...machine() };
    console.log(values.json ? JSON.stringify(result) : result);
    return isKept ? 0 : 1;
  } finally {
    await Promise.all([crowd.stop(), live.stop()]);
    await consumers.close();
    operator.close();
    await system.stop();
  }
}
