import { isDeepStrictEqual } from "node:util";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Outcome } from "../outcome.ts";
import type { Due, Rule } from "./rules.ts";
import type { Sight } from "./sight.ts";
import type { Place, Row } from "./table.ts";
import { audiences, owners, viewers, type World } from "./world.ts";

/** Calls under way at once. */
const atOnce = 16;

/** One call: somebody at one place, by one way in. */
type Case = { readonly row: Row; readonly place: Place };
/** Makes a call by every way in, and says for each what came back; `trusted` may see everything. */
export type Ask = (
  one: Case,
) => Promise<readonly { readonly door: string; readonly outcome: Outcome; readonly trusted?: boolean }[]>;

/** What a row was answered, and what of it was not due. */
export type Result = {
  readonly row: Row;
  /** By viewer and owner: what was due, for the printed table. */
  readonly due: ReadonlyMap<string, readonly Due[]>;
  readonly calls: number;
  readonly wrong: readonly string[];
};

/** Asks everything that a row says, of each owner's things as each viewer; the owners, who may change them, last. */
export async function runRow(row: Row, world: World, sight: Sight, ask: Ask): Promise<Result> {
  const due = new Map<string, Due[]>();
  const wrong: string[] = [];
  let calls = 0;
  const one = async (place: Place): Promise<void> => {
    const expected = row.rule.due({ ...place, sight });
    const key = `${place.viewer} ${place.owner}`;
    due.set(key, [...(due.get(key) ?? []), expected]);
    for (const { door, outcome, trusted } of await ask({ row, place })) {
      calls++;
      const got = gotIn(outcome, row, place);
      const should = trusted ? everything : expected;
      if (isAsDue(got, should)) continue;
      const { viewer, owner, audience } = place;
      const what = row.rule.about === "post" ? `${owner} ${audience}` : owner;
      wrong.push(
        `${row.method.parent.typeName}.${row.method.name} (${row.rule.name}) of ${what} as ${viewer} at ${door}: ${said(got)}, due is ${said(should)}`,
      );
    }
  };
  const places = placesOf(row.rule, world);
  const owned = places.filter(({ viewer }) => viewer === "owner");
  for (const part of [places.filter(({ viewer }) => viewer !== "owner"), owned]) await inLanes(part, one);
  return { row, due, calls, wrong };
}

const everything: Due = { shows: undefined };

let nth = 0;
function placesOf({ about }: Rule, world: World): Place[] {
  const subjects = about === "post" ? audiences : audiences.slice(0, 1);
  return viewers.flatMap((viewer) =>
    owners.flatMap((owner) => subjects.map((audience) => ({ world, viewer, owner, audience, nth: nth++ }))),
  );
}

/** Does some work for each, several at once. */
export async function inLanes<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < all.length; at = next++) await work(all[at] as T);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

type Got = { readonly shows: readonly string[] } | { readonly reason: string };

function gotIn(outcome: Outcome, { rule, shown }: Row, place: Place): Got {
  if (!outcome.ok) return { reason: outcome.reason ?? `${outcome.code ?? outcome.status} without a reason` };
  return { shows: (shown?.(outcome.message, place) ?? namesIn(outcome.message, rule, place)).toSorted() };
}

function isAsDue(got: Got, due: Due): boolean {
  if ("reason" in due || "reason" in got) return isDeepStrictEqual(got, due);
  return due.shows === undefined || isDeepStrictEqual(got.shows, due.shows.toSorted());
}

/** The things of a kind that an answer names by their ids; the author beside a thing is not what is listed. */
export function namesIn(message: JsonObject, { lists }: Rule, { world }: Place): string[] {
  if (lists === "nothing") return [];
  const names = new Map([...world[lists]].map(([name, id]) => [id, name as string]));
  const found = new Set<string>();
  const look = (value: JsonValue, key: string): void => {
    if (Array.isArray(value)) for (const each of value) look(each, key);
    else if (value !== null && typeof value === "object") {
      for (const [name, each] of Object.entries(value)) if (!/^author/.test(name)) look(each, name);
    } else if (names.has(String(value))) found.add(names.get(String(value)) as string);
  };
  look(message, "");
  return [...found];
}

const said = (of: Got | Due): string =>
  "reason" in of ? of.reason : of.shows === undefined ? "OK" : `OK [${of.shows.join(", ")}]`;
