import { countOf, parsed, usage } from "../../tools/cli.ts";
import { profiles } from "./profiles.ts";
import { spreads } from "./spread.ts";

const names: readonly string[] = [...Object.keys(profiles), ...Object.keys(spreads)];

export const help = `npm run bench -- [options]     how fast, how costly, how right, on a system of its own

Every round measures a bare Koa that answers the same page from memory, the system at its limit (closed loop: each
connection back to back) and the system at half of that (open loop: latency from when a request should have been sent).
At the end pages are held to the truth in MySQL. Everything runs on the same two cores.

  --profile LIST     which (default feed,hsa,read-heavy,dsb; or all):
                     ${names.slice(0, 10).join(", ")},
                     ${names.slice(10).join(", ")}
  --envoy            only through both Envoys, as npm start has it
  --no-envoy         only without: clients ask the BFF, and processes each other, directly; default is both
  --rounds N         rounds, of which the median counts (default 5)
  --seconds N        of each measurement of a round (default 4)
  --connections N    (default 64; 32 for posts and likes)
  --users N, --follows N, --posts N    people, whom each follows, posts of each (default 1000, 100, 20)
  --celebrity N      followers of the one whom everybody follows (default 100000)
  --dir DIR          an instance to keep: what was seeded there is used again
  --cores LIST       the cores of everything (default 0,1; all where there is no taskset)
  --save             keep the result in bench/results/
  --compare FILE     an earlier result: each figure beside its ratio to that
  --json             {rows, machine, commit} on stdout instead of the table
  --help             this page

Exit codes: 0 done, 1 failed, or a page was wrong, or a request failed that nothing had disturbed, 2 wrong usage.`;

const optionTypes = {
  profile: { type: "string", default: "feed,hsa,read-heavy,dsb" },
  envoy: { type: "boolean", default: false },
  "no-envoy": { type: "boolean", default: false },
  rounds: { type: "string", default: "5" },
  seconds: { type: "string", default: "4" },
  connections: { type: "string" },
  users: { type: "string", default: "1000" },
  follows: { type: "string", default: "100" },
  posts: { type: "string", default: "20" },
  celebrity: { type: "string", default: "100000" },
  dir: { type: "string" },
  cores: { type: "string", default: "0,1" },
  save: { type: "boolean", default: false },
  compare: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** An hour a row is more than anybody waits for. */
const roundsMax = 100;
const secondsMax = 600;
const connectionsMax = 10_000;
const usersMax = 1_000_000;
/** As many as one may follow. */
const followsMax = 5_000;
const postsMax = 10_000;

export type Options = ReturnType<typeof readOptions>;

export function readOptions() {
  const { values } = parsed({ options: optionTypes });
  const profiles = values.profile === "all" ? names : values.profile.split(",").map(nameOf);
  const users = countOf("users", values.users, usersMax);
  if (users < 20) throw usage("--users is 20 or more: some block and mute others");
  return {
    ...values,
    profiles,
    /** Without Envoy, with it, or both. */
    envoys: [
      ...(values.envoy && !values["no-envoy"] ? [] : [false]),
      ...(values["no-envoy"] && !values.envoy ? [] : [true]),
    ],
    rounds: countOf("rounds", values.rounds, roundsMax),
    seconds: countOf("seconds", values.seconds, secondsMax),
    connections:
      values.connections === undefined ? undefined : countOf("connections", values.connections, connectionsMax),
    celebrity: countOf("celebrity", values.celebrity, usersMax),
    size: {
      users,
      follows: Math.min(users - 1, countOf("follows", values.follows, followsMax)),
      posts: countOf("posts", values.posts, postsMax),
    },
  };
}

function nameOf(text: string): (typeof names)[number] {
  const found = names.find((name) => name === text);
  if (found === undefined) throw usage(`--profile ${text}: there are ${names.join(", ")}, and all`);
  return found;
}
