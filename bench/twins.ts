import { parseArgs } from "node:util";
import { startSystem } from "../tests/support/system.ts";
import { countOf, exitCodeOf, usage } from "../tools/cli.ts";
import { createProgress } from "../tools/progress.ts";
import { machine } from "./replicas/report.ts";
import { isKept, lineOf, modes, nouns, type Phase, runPhase } from "./twins/phase.ts";

const help = `node bench/twins.ts [--nouns post,comment] [--keys 1000] [--twins 5] [--json]

Whether a create that is sent many times happens once, on a system of its own with two of each service. For posts and
comments, --keys requests are each sent --twins times, the same to the letter:
  sequence   one after the other
  parallel   all at once
  kill       all at once, while the service that creates is killed with kill -9, replica by replica, three times
A twin that is told to come again (409, 502, 503, 504, a connection that broke) is sent again, as a client does. Then there
are --keys rows, facts in the outbox and messages in the stream, each of its own; the twins of a key got one answer, the
same to the letter; and Idempotency-Replayed says which of them found it there: all but one (after a kill perhaps all,
because the first answer was lost; in sequence the first is the one). Exit code 1 where any of it is not so.`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    json: { type: "boolean" },
    nouns: { type: "string", default: nouns.join() },
    keys: { type: "string", default: "1000" },
    twins: { type: "string", default: "5" },
  },
});

/** More would be a load test. */
const keysMax = 100_000;
const twinsMax = 50;

if (values.help) console.log(help);
else process.exitCode = await exitCodeOf("twins", main);

async function main(): Promise<number> {
  const [keys, twins] = [countOf("keys", values.keys, keysMax), countOf("twins", values.twins, twinsMax)];
  const wanted = values.nouns.split(",").map(nounOf);
  const system = await startSystem({ post: 2, comment: 2 });
  const progress = createProgress();
  try {
    const phases: Phase[] = [];
    for (const noun of wanted) {
      for (const mode of modes) {
        const phase = await runPhase({ system, noun, mode, keys, twins, progress });
        phases.push(phase);
        progress.say(lineOf(phase));
      }
    }
    const kept = phases.every(isKept);
    if (values.json) console.log(JSON.stringify({ keys, twins, kept, phases, ...machine() }));
    else console.log(kept ? "every key happened once" : "NOT every key happened once");
    return kept ? 0 : 1;
  } finally {
    progress.end();
    await system.stop();
  }
}

function nounOf(text: string): Phase["noun"] {
  const found = nouns.find((noun) => noun === text);
  if (found === undefined) throw usage(`--nouns ${text}: there are ${nouns.join(", ")}`);
  return found;
}
