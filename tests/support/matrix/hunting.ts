import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sessions } from "../../../services/user/src/handlers/session.ts";
import type { Keys } from "../../../tools/launcher/keys.ts";
import type { Random } from "../../../tools/seed/random.ts";
import type { System } from "../system.ts";
import { type Ground, type Hunted, hunt } from "./leaks.ts";
import { sightIn } from "./sight.ts";
import { type Makers, makeWorld, turn, type World } from "./world.ts";

/** Longer than any test. */
const lifeSeconds = 7_200;

export const keysOf = ({ dir }: System): Keys => JSON.parse(readFileSync(join(dir, "keys.json"), "utf8")) as Keys;

/** Signs people in, as the user service does. */
export async function openSignIn(keys: Keys): Promise<(userId: string) => Promise<string>> {
  const { open } = await sessions({ accessKey: JSON.stringify(keys.access.private), lifeSeconds });
  return async (userId) => (await open(BigInt(userId))).accessToken;
}

type Options = {
  readonly system: System;
  readonly makers: Makers;
  readonly tokenOf: (userId: string) => Promise<string>;
  readonly random: Random;
  readonly worlds: number;
  readonly tries: number;
  readonly said?: (done: number) => void;
};

/** Hunts in some worlds, then again after much was taken back in them, with the page tokens of before. */
export async function huntTwice({ system, makers, worlds, tries, said, ...rest }: Options): Promise<Hunted> {
  const made: World[] = [];
  while (made.length < worlds) made.push(await makeWorld(makers));
  const groundOf = async (world: World, tokens: string[]): Promise<Ground> => ({
    world,
    sight: await sightIn(system.oracle, world),
    tokens,
  });
  const before = await Promise.all(made.map((world) => groundOf(world, [])));
  const half = Math.ceil(tries / 2);
  const first = await hunt({ edge: system.edge, grounds: before, tries: half, ...rest, ...(said && { said }) });
  for (const world of made) await turn(makers, world);
  const after = await Promise.all(before.map(({ world, tokens }) => groundOf(world, tokens)));
  const later = (done: number) => said?.(half + done);
  const second = await hunt({ edge: system.edge, grounds: after, tries: tries - half, ...rest, said: later });
  const statuses = { ...first.statuses };
  for (const [status, count] of Object.entries(second.statuses)) statuses[status] = (statuses[status] ?? 0) + count;
  return {
    tries: first.tries + second.tries,
    statuses,
    emptyWithToken: first.emptyWithToken + second.emptyWithToken,
    leaks: [...first.leaks, ...second.leaks],
  };
}
