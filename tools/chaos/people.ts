import { type Person, register } from "../../tests/support/person.ts";
import type { Random } from "../seed/random.ts";
import type { Journal, SwitchKind } from "./journal.ts";

/** A post whose create was acknowledged. */
export type Post = { readonly id: string; readonly author: Person; isLeaving: boolean };

type Switch = {
  readonly what: SwitchKind;
  readonly who: Person;
  /** An account, a post or a comment. */
  readonly whom: string;
  isOn: boolean;
  /** Under way, or left as it is: whoever does not know what became of a request sends no other after it. */
  isBusy: boolean;
};

/** What somebody chooses in a poll, by its place. */
export type Ballot = { readonly post: Post; readonly who: Person; readonly option: number };

/** The newest polls that people vote in: so that all come to each, and some twice. */
const pollsMax = 12;

type Anchor = { readonly post: string; readonly comment: string };

/** Who writes and reads in a run, and what they made so far. */
export type People = Awaited<ReturnType<typeof openPeople>>;

/**
 * Each follows the next for good, and the others now and then. A post of each stays, to be liked, kept, passed on and commented on, and so does
 * a comment under it, to be loved and replied to.
 */
export async function openPeople({
  edge,
  count,
  journal,
  random,
}: {
  edge: string;
  count: number;
  journal: Journal;
  random: Random;
}) {
  const all: Person[] = [];
  for (let nth = 0; nth < count; nth++) all.push(await register(edge));
  const next = (person: Person) => all[(all.indexOf(person) + 1) % count] as Person;
  const told = { isOn: true, isAcknowledged: true };
  const anchors: Anchor[] = [];
  for (const person of all) {
    await person.follow(next(person));
    await journal.record({ what: "follow", who: person.id, whom: next(person).id, ...told });
    const key = crypto.randomUUID();
    const { id } = await person.post(key, key);
    await journal.record({ what: "post", id, author: person.id, key });
    const said = crypto.randomUUID();
    const comment = await person.comment(id, said, said);
    await journal.record({ what: "comment", id: comment.id, post: id, author: person.id, key: said });
    anchors.push({ post: id, comment: comment.id });
  }
  const off = { isOn: false, isBusy: false };
  const switches: Switch[] = all.flatMap((who) => [
    ...all
      .filter((whom) => whom !== who && whom !== next(who))
      .map(({ id }) => ({ what: "follow" as const, who, whom: id, ...off })),
    ...anchors.flatMap(({ post, comment }) => [
      { what: "like" as const, who, whom: post, ...off },
      { what: "save" as const, who, whom: post, ...off },
      { what: "repost" as const, who, whom: post, ...off },
      { what: "love" as const, who, whom: comment, ...off },
    ]),
  ]);
  const posts: Post[] = [];
  const latest = new Map<Person, Post>();
  const polls: Post[] = [];
  const chosen = new Map<string, number>();
  let standing = 0;
  const anyOf = <T>(some: readonly T[]): T | undefined => some[random.below(some.length)];

  return {
    all,
    anyone: () => anyOf(all) as Person,
    followedBy: next,
    /** A post that nobody deletes, and a comment under it. */
    anchor: () => anyOf(anchors) as Anchor,
    freeSwitch: () => anyOf(switches.filter(({ isBusy }) => !isBusy)),
    latestOf: (author: Person) => latest.get(author),
    created(post: Post): void {
      posts.push(post);
      const known = latest.get(post.author);
      if (known === undefined || BigInt(post.id) > BigInt(known.id)) latest.set(post.author, post);
    },
    asked(post: Post): void {
      polls.push(post);
    },
    /** Somebody at a poll of somebody else's: who was there before chooses what they chose then. Undefined where there is none. */
    ballot(option: number): Ballot | undefined {
      const post = anyOf(polls.slice(-pollsMax));
      if (post === undefined) return undefined;
      const who = anyOf(all.filter((one) => one !== post.author)) as Person;
      const name = `${who.id} ${post.id}`;
      if (!chosen.has(name)) chosen.set(name, option);
      return { post, who, option: chosen.get(name) ?? option };
    },
    /** The oldest that nobody deleted yet; the newest stay, since they are what readers look for. */
    oldestStanding: () => (standing < posts.length - 2 * count ? posts[standing++] : undefined),
  };
}
