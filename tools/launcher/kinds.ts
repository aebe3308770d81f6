import { exitCodes, LaunchFailure } from "../servers/failure.ts";

/**
 * The services behind the mesh, callers after the called. Ports, the mesh's clusters, the order of a stop and the wait
 * for the proxies follow from this list: a new service is one word here.
 */
export const services = ["graph", "user", "media", "post", "comment", "like", "feed"] as const;
export type Service = (typeof services)[number];

/** What may run in replicas, in the order of a start; servers run once. */
const kinds = ["mesh", ...services, "bff", "edge"] as const;
export type Kind = (typeof kinds)[number];
export type Replicas = Record<Kind, number>;

/** What there is where it is asked for: an engineer's tools, which cost memory, and a door that is for load tests alone. */
const extras = ["prometheus", "wrk2-api"] as const;
export type Extra = (typeof extras)[number];

/** `prometheus,wrk2-api`: the extras to start. */
export function readExtras(text: string): readonly Extra[] {
  return text.split(",").map((name) => {
    const found = extras.find((extra) => extra === name);
    if (found === undefined) throw usage(`--with ${name}: there is ${extras.join(", ")}`);
    return found;
  });
}

/** Eight of each is more than one machine has use for. */
const replicasMax = 8;

const each = (count: number): Replicas => Object.fromEntries(kinds.map((kind) => [kind, count])) as Replicas;

export const onceEach: Readonly<Replicas> = each(1);

/** `feed=2,bff=2`, or `all=2` for every kind; what comes later wins. */
export function readReplicas(text: string): Replicas {
  const replicas = each(1);
  for (const part of text.split(",")) {
    const [name = "", count = "", ...more] = part.split("=");
    if (!/^\d+$/.test(count) || Number(count) < 1 || Number(count) > replicasMax || more.length > 0) {
      throw usage(`--replicas ${part}: write <process>=<1 to ${replicasMax}>, such as feed=2,bff=2 or all=2`);
    }
    if (name === "all") Object.assign(replicas, each(Number(count)));
    else replicas[known(name, "--replicas")] = Number(count);
  }
  return replicas;
}

/** `feed,post`, or `all`, in the order of a start: whoever is called comes before its callers. */
export function readKinds(text: string): readonly Kind[] {
  const names = text.split(",");
  if (names.includes("all")) return kinds;
  const wanted = names.map((name) => known(name, "restart"));
  return kinds.filter((kind) => wanted.includes(kind));
}

/** The name of a replica, counted from 0 as its ports are: `feed-1` is the first. */
export const nameOf = (kind: Kind, index: number): string => `${kind}-${index + 1}`;

/** `feed` of `feed-2`, and `mysql` of `mysql`. */
export const kindOf = (name: string): string => name.replace(/-\d+$/, "");

function known(name: string, where: string): Kind {
  const found = kinds.find((kind) => kind === name);
  if (found === undefined) throw usage(`${where}: no process "${name}"; there are ${kinds.join(", ")}, and all`);
  return found;
}

const usage = (message: string): LaunchFailure => new LaunchFailure(message, { exitCode: exitCodes.usage });
