import { newId } from "#lib/storage/id.ts";
import { type Makers, makeWorld } from "./world.ts";

/** Milliseconds in the median, asked in turn. */
export type Timed = {
  readonly call: string;
  readonly hiddenMs: number;
  readonly absentMs: number;
  readonly ratio: number;
};

type Options = {
  readonly edge: string;
  readonly makers: Makers;
  readonly tokenOf: (userId: string) => Promise<string>;
  readonly times: number;
  readonly said?: (done: number) => void;
};

/** Asked before it counts: connections, code and caches get warm. */
const warmUps = 200;

/** How long it takes to be told that something is not there: what is hidden, and in turn what does not exist. */
export async function timeHidden({ edge, makers, tokenOf, times, said }: Options): Promise<Timed[]> {
  const { people, posts } = await makeWorld(makers);
  const [hiddenUser, hiddenPost] = [people.get("private") ?? "", posts.get("private FOLLOWERS") ?? ""];
  const headers = { authorization: `Bearer ${await tokenOf(people.get("blocked") ?? "")}` };
  const calls: readonly [string, (id: string) => string, string][] = [
    ["GetPost", (id) => `/v1/posts/${id}`, hiddenPost],
    ["GetUser", (id) => `/v1/users/${id}`, hiddenUser],
    ["ListPostComments", (id) => `/v1/posts/${id}/comments`, hiddenPost],
    ["ListUserPosts", (id) => `/v1/users/${id}/posts`, hiddenUser],
  ];
  const ask = async (path: string): Promise<number> => {
    const began = performance.now();
    const response = await fetch(`${edge}${path}`, { headers });
    await response.arrayBuffer();
    if (response.status !== 404) throw new Error(`${path} is answered ${response.status}`);
    return performance.now() - began;
  };
  const timed: Timed[] = [];
  for (const [call, pathOf, hidden] of calls) {
    const [one, other]: [number[], number[]] = [[], []];
    for (let nth = -warmUps; nth < times; nth++) {
      // Who comes first changes, so that neither pays for the other.
      const asks = [
        async () => one.push(await ask(pathOf(hidden))),
        async () => other.push(await ask(pathOf(String(newId())))),
      ];
      for (const each of nth % 2 === 0 ? asks : asks.toReversed()) await each();
      if (nth < 0) for (const list of [one, other]) list.length = 0;
      said?.(timed.length * times + Math.max(0, nth));
    }
    const [hiddenMs, absentMs] = [median(one), median(other)];
    timed.push({ call, hiddenMs, absentMs, ratio: hiddenMs / absentMs });
  }
  return timed;
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
