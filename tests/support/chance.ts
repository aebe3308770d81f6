import type { JsonValue } from "@bufbuild/protobuf";
import type { Random } from "../../tools/seed/random.ts";
import { type Cast, password } from "./cast.ts";
import {
  badKeys,
  badTokens,
  mediaKinds,
  names,
  pages,
  polls,
  reactionKinds,
  secrets,
  sizes,
  strangers,
  texts,
  uploads,
  words,
} from "./odd.ts";
import type { Head } from "./outcome.ts";

/** People of each door. */
export const people = 4;

/** A value that each door says in its own words. */
export type Said = (cast: Cast) => JsonValue;
export type Arguments = Readonly<Record<string, Said | undefined>>;

export type Chance = ReturnType<typeof chanceOf>;

/** What arguments are made of: mostly somebody or something there is, sometimes what there is not. */
export function chanceOf(random: Random) {
  const { next, below, pick } = random;
  let fresh = 0;
  const literal =
    <T extends JsonValue>(value: T): Said =>
    () =>
      value;
  const user = (): Said => {
    const n = below(people);
    const how = next();
    if (how < 0.4) return ({ people }) => people[n]?.id ?? "";
    if (how < 0.7) return ({ people }) => people[n]?.username ?? "";
    if (how < 0.75) return ({ people }) => people[n]?.username.toUpperCase() ?? "";
    return literal(pick(strangers));
  };
  const post = (): Said => {
    const nth = below(1_000);
    if (next() < 0.25) return literal(pick(strangers));
    return ({ posts }) => posts[nth % Math.max(1, posts.length)] ?? "1";
  };
  const posts = (): Said => {
    const some = Array.from({ length: 1 + below(2) }, post);
    return (cast) => some.map((said) => String(said(cast)));
  };
  const comment = (): Said => {
    const nth = below(1_000);
    if (next() < 0.25) return literal(pick(strangers));
    return ({ comments }) => comments[nth % Math.max(1, comments.length)] ?? "1";
  };
  const users = (): Said => {
    const some = Array.from({ length: below(4) }, user);
    return (cast) => some.map((said) => String(said(cast)));
  };
  const list = (): Said => {
    const nth = below(1_000);
    if (next() < 0.4) return literal(next() < 0.6 ? "close-friends" : pick(strangers));
    return ({ lists }) => lists[nth % Math.max(1, lists.length)] ?? "1";
  };
  const collection = (): Said => {
    const nth = below(1_000);
    if (next() < 0.25) return literal(pick(strangers));
    return ({ collections }) => collections[nth % Math.max(1, collections.length)] ?? "1";
  };
  const media = (): Said => {
    const nth = below(1_000);
    if (next() < 0.25) return literal(pick(strangers));
    return ({ media }) => media[nth % Math.max(1, media.length)] ?? "1";
  };
  const mediaKind = (): Said => literal(`MEDIA_KIND_${pick(mediaKinds)}`);
  const size = (): Said => literal(pick(uploads));
  /** A short text: a word, or the name of a list. */
  const word = (): Said => literal(next() < 0.8 ? pick(words) : pick(texts));
  const kind = (): Said => literal(pick(reactionKinds));
  const flag = (): Said => literal(next() < 0.5);
  const text = (): Said => literal(next() < 0.6 ? `text ${below(1e9)}` : pick(texts));
  /** A text that names somebody. */
  const naming = (): Said => {
    const [n, nth] = [below(people), below(1e9)];
    return ({ people }) => `text ${nth} @${people[n]?.username}`;
  };
  const name = (): Said => {
    const how = next();
    const n = below(people);
    if (how < 0.35) return ({ people }) => people[n]?.username ?? "";
    const nth = fresh++;
    return how < 0.7 ? ({ prefix }) => `${prefix}n${nth}` : literal(pick(names));
  };
  const secret = (): Said => literal(next() < 0.6 ? password : pick(secrets));
  const page = (): Arguments => {
    const pageSize = next() < 0.5 ? literal(next() < 0.6 ? 1 + below(5) : pick(sizes)) : undefined;
    const how = next();
    const n = below(people);
    const kept: Said = ({ pageTokens }) => pageTokens.get(n) ?? "none";
    const pageToken = how < 0.2 ? kept : how < 0.3 ? literal(pick(pages)) : undefined;
    return { ...(pageSize && { pageSize }), ...(pageToken && { pageToken }) };
  };
  /** Who asks: a person, nobody, or somebody whose token is not ours; and under which key. */
  const head = (): { as: number | undefined; of: (cast: Cast) => Head } => {
    const how = next();
    const as = how < 0.88 ? below(people) : undefined;
    const bad = how > 0.96 ? pick(badTokens) : undefined;
    const key = next() < 0.8 ? `key ${below(40)}`.replace(" ", "-") : next() < 0.5 ? pick(badKeys) : undefined;
    return { as, of: (cast) => ({ token: as === undefined ? bad : cast.people[as]?.token, key }) };
  };
  /** Of options of a poll. */
  const places = (): Said => literal(pick([[], [0], [1], [0, 1], [0, 0], [9], [10]]));
  const poll = (): Said => literal(pick(polls));
  const version = (): Arguments => (next() < 0.7 ? {} : { ifVersion: literal(1 + below(3)) });
  return {
    places,
    poll,
    version,
    user,
    users,
    list,
    collection,
    media,
    mediaKind,
    size,
    word,
    kind,
    flag,
    post,
    posts,
    comment,
    text,
    naming,
    name,
    secret,
    page,
    head,
  };
}
