import type { DescMethod, JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Look, Rule } from "./rules.ts";
import type { World } from "./world.ts";

/** Where a call is made: in which world, about what, and the how manieth it is, for what must not come twice. */
export type Place = Pick<Look, "owner" | "audience" | "viewer"> & { readonly world: World; readonly nth: number };

/** One RPC of the table. */
export type Row = {
  readonly method: DescMethod;
  readonly rule: Rule;
  request(place: Place): JsonObject;
  /** What the call changes: rows that say the same have a world to themselves, in which each may be asked again and again. */
  readonly changes?: string;
  /** Things of the world that an answer shows, where ids in it do not tell. */
  shown?(answer: JsonObject, place: Place): string[];
  /** Callers that may see everything: they decide themselves. */
  readonly trusted?: readonly string[];
};

type More = Pick<Row, "changes" | "shown" | "trusted">;

export const row = (method: DescMethod, rule: Rule, request: Row["request"], more: More = {}): Row => ({
  method,
  rule,
  request,
  ...more,
});

export const userOf = ({ world, owner }: Place): string => world.people.get(owner) ?? "";
export const postOf = ({ world, owner, audience }: Place): string => world.posts.get(`${owner} ${audience}`) ?? "";
export const mediaOf = ({ world, owner }: Place): string => world.media.get(owner) ?? "";
export const draftOf = ({ world, owner }: Place): string => world.drafts.get(owner) ?? "";
/** What all posts of an owner are tagged with. */
export const tagOf = ({ world, owner }: Place): string => `${world.prefix}${owner}`;
export const listOf = ({ world, owner }: Place): string => world.lists.get(owner) ?? "";

/** The posts of a feed or a page, by public door or inside: those that somebody passed on with who did. */
export function placesIn({ items, posts }: JsonObject, { world }: Place): string[] {
  const named = (all: ReadonlyMap<string, string>) => new Map([...all].map(([name, id]) => [id, name]));
  const [postNames, names] = [named(world.posts), named(world.people)];
  const idIn = (value: JsonValue | undefined) => (value as JsonObject | undefined)?.id;
  return ((items ?? posts) as JsonObject[]).flatMap((item) => {
    const name = postNames.get(String(idIn(item.post) ?? item.postId ?? item.id));
    const by = idIn(item.repostedBy) ?? (item.repostedById || undefined);
    if (name === undefined) return [];
    return [by === undefined ? name : `${name} by ${names.get(String(by))}`];
  });
}
