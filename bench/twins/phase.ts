import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, type Person, register } from "../../tests/support/person.ts";
import { allHealthy, type System } from "../../tests/support/system.ts";
import type { Progress } from "../../tools/progress.ts";
import { type Told, toldOf } from "./told.ts";

export const modes = ["sequence", "parallel", "kill"] as const;
type Mode = (typeof modes)[number];
/** What is created with a key. */
export const nouns = ["post", "comment"] as const;

/** What became of the creates of one kind, sent one way. */
export type Phase = Told & {
  readonly noun: (typeof nouns)[number];
  readonly mode: Mode;
  readonly keys: number;
  readonly answers: number;
  /** Twins that were told to come again, and came. */
  readonly repeats: number;
  readonly kills: number;
  /** Keys whose twins were not answered alike. */
  readonly unequal: number;
  /** Keys for which not exactly one answer (after a kill: at most one) says that it was the first. */
  readonly misnamed: number;
};

type Answer = { readonly text: string; readonly id: string; readonly isReplayed: boolean };

/** Keys under way at once. */
const lanesMax = { sequence: 8, parallel: 3, kill: 3 } as const;
const killsOf = { sequence: 0, parallel: 0, kill: 3 } as const;
/** What is sent again, for half a minute at most: a replica is back in three seconds. */
const askAgain: readonly number[] = [0, 409, 502, 503, 504];
const repeatsMax = 300;
const againMs = 100;

type Options = {
  readonly system: System;
  readonly noun: Phase["noun"];
  readonly mode: Mode;
  readonly keys: number;
  readonly twins: number;
  readonly progress: Progress;
};

export async function runPhase(o: Options): Promise<Phase> {
  const { system, noun, mode, keys, twins, progress } = o;
  const author = await register(system.edge);
  const path = noun === "post" ? "/v1/posts" : `/v1/posts/${(await author.post("twins below")).id}/comments`;
  const ids = new Set<string>();
  const counted = { unequal: 0, misnamed: 0, answers: 0, repeats: 0 };
  let begun = 0;
  let done = 0;

  const lane = async (): Promise<void> => {
    while (begun < keys) {
      begun++;
      const send = () => create(system.edge, author, path, key, counted);
      const key = randomUUID();
      const answers = mode === "sequence" ? await inTurn(twins, send) : await Promise.all(times(twins, send));
      if (new Set(answers.map(({ text }) => text)).size !== 1) counted.unequal++;
      if (!isNamed(answers, mode)) counted.misnamed++;
      for (const { id } of answers) ids.add(id);
      counted.answers += answers.length;
      progress.update({ what: `${noun} ${mode}`, done: ++done, total: keys });
    }
  };

  const killing = killInTurn(o, () => done);
  await Promise.all(times(lanesMax[mode], lane));
  const told = await toldOf(system.instance.servers, noun, author.id, ids);
  return { noun, mode, keys, ...counted, kills: await killing, ...told };
}

/** Kills one replica after the other in the middle of it; the next one when all are well again. */
async function killInTurn({ system, noun, mode, keys }: Options, done: () => number): Promise<number> {
  const kills = killsOf[mode];
  for (let nth = 0; nth < kills; nth++) {
    while (done() < ((nth + 0.5) * keys) / kills) await sleep(2);
    system.instance.kill(`${noun}-${1 + (nth % 2)}`, "SIGKILL");
    await allHealthy(system.instance);
  }
  return kills;
}

async function create(
  edge: string,
  { token }: Person,
  path: string,
  key: string,
  counted: { repeats: number },
): Promise<Answer> {
  for (let repeats = 0; ; repeats++) {
    const answer = await ask(edge, "POST", path, { token, key, body: { text: key } }).catch((reason) => ({
      status: 0,
      headers: new Headers(),
      body: { detail: String(reason) } as Record<string, unknown>,
    }));
    if (!askAgain.includes(answer.status) || repeats === repeatsMax) {
      const { status, headers, body } = answer;
      const isReplayed = headers.get("idempotency-replayed") === "true";
      return { text: `${status} ${JSON.stringify(body)}`, id: String(body.id), isReplayed };
    }
    counted.repeats++;
    await sleep(againMs);
  }
}

const isNamed = (answers: readonly Answer[], mode: Mode): boolean => {
  const firsts = answers.filter(({ isReplayed }) => !isReplayed).length;
  if (mode === "kill") return firsts <= 1;
  return firsts === 1 && (mode === "parallel" || answers[0]?.isReplayed === false);
};

/** The laws. */
export const isKept = (phase: Phase): boolean =>
  [phase.rows, phase.facts, phase.messages, phase.eventIds, phase.ids].every((count) => count === phase.keys) &&
  phase.unequal + phase.misnamed === 0;

export const lineOf = (phase: Phase): string =>
  `${isKept(phase) ? "kept  " : "BROKEN"} ${phase.noun} ${phase.mode}: ${phase.keys} keys, ${phase.answers} answers ` +
  `(${phase.repeats} sent again, ${phase.kills} kills), ${phase.ids} ids, ${phase.rows} rows, ${phase.facts} facts, ` +
  `${phase.messages} messages of ${phase.eventIds} events; ${phase.unequal} unequal, ${phase.misnamed} misnamed`;

const times = <T>(count: number, make: () => Promise<T>): Promise<T>[] => Array.from({ length: count }, make);

async function inTurn<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) made.push(await make());
  return made;
}
