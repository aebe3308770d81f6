import { setTimeout as sleep } from "node:timers/promises";
import { type Edges, openEdges } from "../../tests/support/edges.ts";
import type { People } from "./people.ts";
import type { Target } from "./target.ts";

/** Enough that each of two BFFs behind each door, with circuits of its own, answers some. */
const timesEach = 3;
const againMs = 300;
/** A system that serves nobody by then, although nothing is stopped any more, does not come back by itself. */
const servedMs = 60_000;
/** A door that is slower than this does not serve. */
const answerMs = 2_000;

/** Waits until every front door answers every kind of read: what people call "it is back". */
export async function untilServed(target: Target, people: People): Promise<void> {
  const doors = target.edges.map((edge) => openEdges([edge], { answerMs }));
  const deadline = Date.now() + servedMs;
  try {
    for (;;) {
      const failures = await Promise.all(doors.map((door) => failureOf(door, people)));
      const failed = failures.find((failure) => failure !== undefined);
      if (failed === undefined) return;
      if (Date.now() > deadline) throw new Error(`reads still fail after ${servedMs / 1_000} s: ${failed}`);
      await sleep(againMs);
    }
  } finally {
    for (const door of doors) door.close();
  }
}

/** Reads one after the other, so that asking is no load of its own; answers the first that fails. */
async function failureOf(door: Edges, people: People): Promise<string | undefined> {
  const { id, token } = people.anyone();
  const post = `/v1/posts/${people.anchor().post}`;
  const paths = ["/v1/feed", post, `${post}/comments`, `${post}/likes`, `/v1/users/${id}`];
  for (const path of Array.from({ length: timesEach }, () => paths).flat()) {
    const { status } = await door.ask("GET", path, { token });
    if (status !== 200) return `GET ${path}: ${status}`;
  }
  return undefined;
}
