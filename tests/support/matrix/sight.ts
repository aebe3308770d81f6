import type { Oracle } from "../../../tools/oracle.ts";
import {
  type AudienceName,
  audiences,
  type Name,
  type Owner,
  owners,
  type Viewer,
  viewers,
  type World,
} from "./world.ts";

/** What each viewer may see in a world, as the oracle says, from rows and in words of its own. */
export type Sight = {
  finds(viewer: Viewer, owner: Owner, name: Name): boolean;
  meets(viewer: Viewer, owner: Owner, name: Name): boolean;
  /** Whether they may see whom somebody follows, and who follows them. */
  follows(viewer: Viewer, owner: Owner, name: Name): boolean;
  /** The posts of an owner that they may see. */
  posts(viewer: Viewer, owner: Owner): readonly AudienceName[];
  /** The same of anybody's; `owner` says who the viewer is. */
  postsOf(viewer: Viewer, owner: Owner, whose: Owner): readonly AudienceName[];
  /** What stands on somebody's page: names of posts, and of reposts. */
  page(viewer: Viewer, owner: Owner, whose: Owner | "fan"): readonly string[];
  /** The same of their home feed. */
  home(viewer: Viewer, owner: Owner): readonly string[];
};

/** Who a viewer is where an owner's things are looked at; undefined is nobody. */
export function personOf(viewer: Viewer, owner: Owner): Name | undefined {
  if (viewer === "anonymous") return undefined;
  return viewer === "owner" ? owner : viewer;
}

/** Asks the oracle for everything once; every world of `makeWorld` is alike. */
export async function sightIn(oracle: Oracle, { people, posts, reposts }: World): Promise<Sight> {
  const nameOf = new Map([...posts, ...reposts].map(([name, id]) => [id, name]));
  const accounts = new Map<string, Awaited<ReturnType<Oracle["account"]>>>();
  const shown = new Map<string, string[]>();
  for (const owner of owners) {
    for (const viewer of viewers) {
      const self = personOf(viewer, owner);
      const viewerId = self && BigInt(people.get(self) as string);
      const key = `${viewer} ${owner}`;
      await Promise.all(
        [...people].map(async ([name, id]) =>
          accounts.set(`${key} ${name}`, await oracle.account(BigInt(id), viewerId)),
        ),
      );
      for (const whose of [...owners, "fan"] as const) {
        const id = BigInt(people.get(whose) as string);
        const page = viewerId === undefined ? oracle.authorToStrangers(id) : oracle.author(id, viewerId);
        const names = (await page).map((post) => nameOf.get(post) as string);
        shown.set(`${key} ${whose}`, names);
      }
      const home = viewerId === undefined ? [] : await oracle.home(viewerId);
      shown.set(
        `${key} home`,
        home.map((id) => nameOf.get(id) ?? "another's post"),
      );
    }
  }
  const account = (viewer: Viewer, owner: Owner, name: Name) => accounts.get(`${viewer} ${owner} ${name}`);
  const postsOf = (viewer: Viewer, owner: Owner, whose: Owner) =>
    audiences.filter((audience) => shown.get(`${viewer} ${owner} ${whose}`)?.includes(`${whose} ${audience}`));
  return {
    finds: (viewer, owner, name) => account(viewer, owner, name)?.isFound === true,
    meets: (viewer, owner, name) => account(viewer, owner, name)?.isMet === true,
    follows: (viewer, owner, name) => account(viewer, owner, name)?.showsFollows === true,
    posts: (viewer, owner) => postsOf(viewer, owner, owner),
    postsOf,
    page: (viewer, owner, whose) => shown.get(`${viewer} ${owner} ${whose}`) ?? [],
    home: (viewer, owner) => shown.get(`${viewer} ${owner} home`) ?? [],
  };
}
