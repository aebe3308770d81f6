import { type DescMethodUnary, getOption, type JsonObject } from "@bufbuild/protobuf";
import { Idempotency, policy } from "#gen/skein/options/v1/options_pb.ts";
import type { Random } from "../../../tools/seed/random.ts";
import { spell } from "../json-door.ts";
import { publicRows } from "./public-rows.ts";
import { inLanes, namesIn } from "./run.ts";
import { personOf, type Sight } from "./sight.ts";
import type { Place, Row } from "./table.ts";
import { audiences, type Name, type Owner, owners, type Viewer, viewers, type World } from "./world.ts";

/** A world as it stands, what may be seen in it, and page tokens that anybody was ever given in it. */
export type Ground = { readonly world: World; readonly sight: Sight; readonly tokens: string[] };

export type Hunted = {
  readonly tries: number;
  /** How often each status was met. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Pages that were answered empty with a token to go on. */
  readonly emptyWithToken: number;
  readonly leaks: readonly string[];
};

type Hunt = {
  readonly edge: string;
  readonly grounds: readonly Ground[];
  readonly tokenOf: (userId: string) => Promise<string>;
  readonly random: Random;
  readonly tries: number;
  readonly said?: (done: number) => void;
};

/** Read calls that anybody may make, and what of them is asked of an account. */
const reads: readonly Row[] = publicRows.filter(
  ({ method }) => getOption(method, policy).idempotency === Idempotency.SAFE,
);
/** The first of what leaked; a thousand more say nothing new. */
const leaksMax = 20;

/**
 * Tries real ids, names and page tokens, as everybody, by chance, and looks through what comes back, header by header and
 * byte by byte, for what that viewer must not learn.
 */
export async function hunt({ edge, grounds, tokenOf, random, tries, said }: Hunt): Promise<Hunted> {
  const statuses: Record<string, number> = {};
  const leaks: string[] = [];
  const access = new Map<string, Promise<string>>();
  let emptyWithToken = 0;
  let done = 0;
  await inLanes(Array.from({ length: tries }), async () => {
    const { pick } = random;
    const ground = pick(grounds as readonly [Ground, ...Ground[]]);
    const place: Place = {
      world: ground.world,
      viewer: pick(viewers),
      owner: pick(owners),
      audience: pick(audiences),
      nth: 0,
    };
    const row = pick(reads as readonly [Row, ...Row[]]);
    const usual = row.request(place);
    const request = varied(usual, row, ground, random);
    const isUsual = nameIn(ground.world, request.user) === nameIn(ground.world, usual.user);
    const self = personOf(place.viewer, place.owner);
    const id = self && (ground.world.people.get(self) as string);
    if (id !== undefined && !access.has(id)) access.set(id, tokenOf(id));
    const { verb, path } = spell(row.method as DescMethodUnary, request);
    const headers = id === undefined ? {} : { authorization: `Bearer ${await access.get(id)}` };
    const response = await fetch(`${edge}${path}`, { method: verb, headers });
    const text = await response.text();
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    said?.(++done);
    const told = `${JSON.stringify([...response.headers])} ${text}`;
    const found = leakIn({ row, place, request, isUsual, ground, told, text, ok: response.ok });
    if (found !== undefined && leaks.length < leaksMax) leaks.push(`${verb} ${path} as ${place.viewer}: ${found}`);
    const { nextPageToken, ...rest } = response.ok ? (JSON.parse(text) as JsonObject) : {};
    if (!nextPageToken) return;
    ground.tokens.push(String(nextPageToken));
    if (Object.values(rest).every((list) => Array.isArray(list) && list.length === 0)) emptyWithToken++;
  });
  return { tries, statuses, emptyWithToken, leaks };
}

/** Somebody else in place of an owner now and then, by id or by name, a page of any size, and anybody's page token. */
function varied(
  request: JsonObject,
  { method }: Row,
  { world, tokens }: Ground,
  { next, pick, below }: Random,
): JsonObject {
  const fields = new Set(method.input.fields.map(({ jsonName }) => jsonName));
  const varied: JsonObject = { ...request };
  if (typeof request.user === "string") {
    const [name] = next() < 0.7 ? [nameOf(world, request.user)] : [pick([...world.people.keys()] as [Name, ...Name[]])];
    varied.user = next() < 0.5 ? `${world.prefix}_${name}` : (world.people.get(name) ?? "");
  }
  if (fields.has("pageSize") && next() < 0.7) varied.pageSize = 1 + below(4);
  if (fields.has("pageToken") && tokens.length > 0 && next() < 0.4)
    varied.pageToken = pick(tokens as [string, ...string[]]);
  return varied;
}

const nameOf = ({ people }: World, id: string): Name => [...people].find(([, each]) => each === id)?.[0] as Name;

type Told = {
  readonly row: Row;
  readonly place: Place;
  readonly request: JsonObject;
  /** It asks about whom its row is about. */
  readonly isUsual: boolean;
  readonly ground: Ground;
  readonly told: string;
  readonly text: string;
  readonly ok: boolean;
};

/** Whom a text names is part of what its author said, for all who may read it, whoever hides from them since. */
const namedIn = /"mentions":\[[^\]]*\]/g;

/** What an answer tells that it must not; undefined where it tells nothing. */
function leakIn({ row, place, request, isUsual, ground, told, text, ok }: Told): string | undefined {
  const asked = JSON.stringify(request);
  const answered = told.replaceAll(namedIn, "");
  for (const secret of secretsOf(ground, place.viewer, place.owner)) {
    if (answered.includes(secret) && !asked.includes(secret)) return `tells ${secret}`;
  }
  if (!ok || !isUsual) return undefined;
  const due = row.rule.due({ ...place, sight: ground.sight });
  if ("reason" in due) return `is answered, due is ${due.reason}`;
  // One's own lists are told by what was done in the world since; who may be in them, the names above say.
  if (due.shows === undefined || (row.rule.name === "own" && row.rule.lists !== "posts")) return undefined;
  const message = JSON.parse(text) as JsonObject;
  const shown = row.shown?.(message, place) ?? namesIn(message, row.rule, place);
  // A post that comes by several ways is on a page once, where it is newest; further down by an older way.
  const posts = due.shows.map(postOf);
  const more = shown.filter((name) => !posts.includes(postOf(name)));
  return more.length === 0 ? undefined : `shows ${more.join(", ")}`;
}

const postOf = (name: string): string => name.split(" by ")[0] ?? name;

function nameIn(world: World, user: unknown): string | undefined {
  if (typeof user !== "string") return undefined;
  return user.startsWith(`${world.prefix}_`) ? user.slice(world.prefix.length + 1) : nameOf(world, user);
}

const secrets = new WeakMap<Ground, Map<string, readonly string[]>>();

/** Ids, names and texts of a world that a viewer must not learn. */
function secretsOf(ground: Ground, viewer: Viewer, owner: Owner): readonly string[] {
  const known = secrets.get(ground) ?? new Map<string, readonly string[]>();
  secrets.set(ground, known);
  const key = `${viewer} ${owner}`;
  const all = known.get(key) ?? hiddenIn(ground, viewer, owner);
  known.set(key, all);
  return all;
}

function hiddenIn({ world, sight }: Ground, viewer: Viewer, owner: Owner): string[] {
  const hidden: string[] = [];
  const mark = (name: string) => `"${world.prefix} ${name}"`;
  // A viewer is an owner where that owner's things are looked at; what the other owner has is hidden or not all the same.
  const self = personOf(viewer, owner);
  for (const [name, id] of world.people) {
    if (name !== self && !sight.finds(viewer, owner, name)) hidden.push(id, `${world.prefix}_${name}"`, mark(name));
  }
  for (const whose of owners) {
    for (const audience of audiences) {
      const where = `${whose} ${audience}`;
      const seen = (sight.postsOf(viewer, owner, whose) ?? []).includes(audience);
      if (!seen) hidden.push(world.posts.get(where) as string, mark(where));
      for (const [name, id] of world.comments) {
        if (!name.endsWith(` on ${where}`)) continue;
        const author = name.slice(0, name.indexOf(" ")) as Name;
        if (!seen || !sight.meets(viewer, owner, author)) hidden.push(id, `${world.prefix} ${name}:`);
      }
    }
    if (whose === self) continue;
    hidden.push(world.lists.get(whose) as string, mark(`${whose}'s own`), mark(`${whose} cannot stand`));
  }
  for (const whose of [...owners, "fan"] as const) {
    const page = sight.page(viewer, owner, whose);
    for (const [name, id] of world.reposts) if (name.endsWith(` by ${whose}`) && !page.includes(name)) hidden.push(id);
  }
  return hidden;
}
