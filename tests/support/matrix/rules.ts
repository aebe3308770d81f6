import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Sight } from "./sight.ts";
import {
  type AudienceName,
  followers,
  mentioned,
  type Name,
  named,
  type Owner,
  owners,
  underPublic,
  type Viewer,
} from "./world.ts";

/** Somebody looking at something: who, at whose, and at which post where it is about one. */
export type Look = {
  readonly viewer: Viewer;
  readonly owner: Owner;
  readonly audience: AudienceName;
  readonly sight: Sight;
};

/** What a call must answer: OK and, where an answer shows things, exactly these of the world; or this refusal. */
export type Due = { readonly shows: readonly string[] | undefined } | { readonly reason: string };

/** One rule of the table. `about`: one call for each owner, or for each of their posts; `lists` what is shown. */
export type Rule = {
  readonly name: string;
  readonly about: "owner" | "post";
  readonly lists: "posts" | "people" | "comments" | "lists" | "drafts" | "nothing";
  due(look: Look): Due;
};

const ok: Due = { shows: undefined };
const shows = (names: readonly string[]): Due => ({ shows: names });
const refused = (reason: string): Due => ({ reason });
const absent = refused("not-found");
const itself = refused("validation");

/** Nobody who is not signed in. */
const signedIn =
  (due: Rule["due"]): Rule["due"] =>
  (look) =>
    look.viewer === "anonymous" ? refused("unauthenticated") : due(look);
/** Nor whose account is not open. */
const write = (due: Rule["due"]): Rule["due"] =>
  signedIn((look) => (look.viewer === "suspended" ? refused("account-suspended") : due(look)));

type Lists = Rule["lists"];
const aboutOwner = (name: string, due: Rule["due"], lists: Lists = "nothing"): Rule => ({
  name,
  about: "owner",
  lists,
  due,
});
const aboutPost = (name: string, due: Rule["due"], lists: Lists = "nothing"): Rule => ({
  name,
  about: "post",
  lists,
  due,
});

const seesPost = ({ sight, viewer, owner, audience }: Look) => sight.posts(viewer, owner).includes(audience);
const met = ({ sight, viewer, owner }: Look, names: readonly Name[]) =>
  names.filter((name) => sight.meets(viewer, owner, name));
const postName = ({ owner, audience }: Look) => `${owner} ${audience}`;
/** Who said and liked something under a post. */
const under = ({ owner, audience }: Pick<Look, "owner" | "audience">): readonly Name[] =>
  audience === "ONLY_ME" ? [owner] : audience === "PUBLIC" ? underPublic : ["fan"];

export const anyone = aboutOwner("anyone", () => ok);
export const anyoneSignedIn = aboutOwner(
  "signed-in",
  signedIn(() => ok),
);
export const openAccount = aboutOwner(
  "open-account",
  write(() => ok),
);

/** One's own: the names that each viewer finds in it. */
export const own = (lists: Lists, names: (look: Look) => readonly string[]): Rule =>
  aboutOwner(
    "own",
    signedIn((look) => shows(names(look))),
    lists,
  );
/** Something that its owner alone has. */
export const ownersOnly = (lists: Lists = "nothing", names?: (look: Look) => readonly string[]): Rule =>
  aboutOwner(
    "owner-only",
    signedIn((look) => (look.viewer === "owner" ? (names ? shows(names(look)) : ok) : absent)),
    lists,
  );
export const ownersOnlyToChange = aboutOwner(
  "owner-only-write",
  write(({ viewer }) => (viewer === "owner" ? ok : absent)),
);

/** An announced upload, of which no byte is there yet. */
export const completing = aboutOwner(
  "owner-only-write",
  write(({ viewer }) => (viewer === "owner" ? refused("upload-incomplete") : absent)),
);
export const attaching = aboutOwner(
  "owner-only",
  signedIn(({ viewer }) => refused(viewer === "owner" ? "media-not-ready" : "validation")),
);

export const accountVisible = aboutOwner(
  "account-visible",
  ({ sight, viewer, owner }) => (sight.finds(viewer, owner, owner) ? shows([owner]) : absent),
  "people",
);
export const accountsVisible = aboutOwner(
  "accounts-visible",
  ({ sight, viewer, owner }) =>
    shows(([owner, "fan", "leaver", "foe"] as const).filter((name) => sight.finds(viewer, owner, name))),
  "people",
);
/** Somebody's list of people, for who may see whom they follow. */
export const followsVisible = (names: (look: Look) => readonly Name[], isPublic: boolean): Rule => {
  const due: Rule["due"] = (look) =>
    look.sight.follows(look.viewer, look.owner, look.owner) ? shows(met(look, names(look))) : absent;
  return aboutOwner("follows-visible", isPublic ? due : signedIn(due), "people");
};
export const allFollowers = (): readonly Name[] => followers;
export const theFan = (): readonly Name[] => ["fan"];

/** What an owner posts and passes on, as far as a viewer may see it; there is nothing of an account that they do not find. */
export const pageOfFound = aboutOwner(
  "posts-visible",
  ({ sight, viewer, owner }) => (sight.finds(viewer, owner, owner) ? shows(sight.page(viewer, owner, owner)) : absent),
  "posts",
);
/** The same inside, where whose page it is was looked up before. */
export const pageVisible = aboutOwner(
  "posts-visible",
  ({ sight, viewer, owner }) => shows(sight.page(viewer, owner, owner)),
  "posts",
);
/** What the fan posts and passes on, of both owners. */
export const fansPage = aboutOwner(
  "reposts-visible",
  ({ sight, viewer, owner }) => (sight.finds(viewer, owner, "fan") ? shows(sight.page(viewer, owner, "fan")) : absent),
  "posts",
);
/** The same for who has the fan on a list. */
export const fanOnList = ownersOnly("posts", ({ sight, viewer, owner }) => sight.page(viewer, owner, "fan"));
/** Nothing of it is there, whoever asks; and nobody learns so of an account that they do not find. */
export const emptyOfFound = aboutOwner(
  "posts-visible",
  ({ sight, viewer, owner }) => (sight.finds(viewer, owner, owner) ? shows([]) : absent),
  "posts",
);
/** Posts asked by id: what is hidden is not there, and nothing is refused. */
export const postsVisible = aboutOwner(
  "posts-visible",
  ({ sight, viewer, owner }) => shows(sight.posts(viewer, owner).map((audience) => `${owner} ${audience}`)),
  "posts",
);
/** The same under a tag: without whom the viewer mutes. */
export const postsUnderTag = aboutOwner(
  "posts-visible-not-muted",
  (look) => (look.viewer === "muted" ? shows([]) : postsVisible.due(look)),
  "posts",
);
export const homeFeed = own("posts", ({ sight, viewer, owner }) => sight.home(viewer, owner));

/** What the friend kept, without what they may not see any more. */
export const keptPosts = own("posts", ({ sight, viewer, owner }) =>
  viewer === "friend"
    ? owners.flatMap((whose) => sight.postsOf(viewer, owner, whose).map((audience) => `${whose} ${audience}`))
    : [],
);
/** Of those who look, owners alone reacted and said something: where nobody else may. */
export const ownReacted = own("posts", ({ viewer, owner }) => (viewer === "owner" ? [`${owner} ONLY_ME`] : []));
export const ownComments = own("comments", ({ viewer, owner }) =>
  viewer === "owner" ? [`${owner} on ${owner} ONLY_ME`] : [],
);
/** Both owners name the same people. */
export const mentions = own("posts", ({ sight, viewer, owner }) =>
  mentioned.some((name) => name === viewer)
    ? owners.flatMap((whose) =>
        sight.postsOf(viewer, owner, whose).includes("MENTIONED") ? [`${whose} MENTIONED`] : [],
      )
    : [],
);
/** Every comment names them: listed are those that they may see, under what they may see. */
export const namedInComments = own("comments", (look) => {
  const { sight, viewer, owner } = look;
  if (viewer !== "owner" && !named.some((name) => name === viewer)) return [];
  return owners.flatMap((whose) =>
    sight
      .postsOf(viewer, owner, whose)
      .flatMap((audience) =>
        met(look, under({ ...look, owner: whose, audience })).map((name) => `${name} on ${whose} ${audience}`),
      ),
  );
});
/** Owners passed on what the fan said. */
export const ownReposts = own("posts", ({ sight, viewer, owner }) =>
  viewer === "owner" && sight.page(viewer, owner, "fan").includes("fan PUBLIC") ? ["fan PUBLIC"] : [],
);
/** About something that nobody has. */
export const nobodysToChange = aboutOwner(
  "owner-only-write",
  write(() => absent),
);

export const postVisible = aboutPost(
  "post-visible",
  (look) => (seesPost(look) ? shows([postName(look)]) : absent),
  "posts",
);
/** What hangs on a post, of which there is none. */
export const postVisibleEmpty = aboutPost("post-visible", (look) => (seesPost(look) ? shows([]) : absent), "posts");
export const likersVisible = aboutPost(
  "post-visible",
  (look) => (seesPost(look) ? shows(met(look, under(look))) : absent),
  "people",
);
/** Who passed a post on; what is not for everybody nobody may. */
export const repostersVisible = aboutPost(
  "post-visible",
  (look) => (seesPost(look) ? shows(look.audience === "PUBLIC" ? met(look, underPublic) : []) : absent),
  "people",
);
/** Who commented reacts to their own comment, too. */
export const reactorsVisible = aboutPost(
  "comment-visible",
  (look) => (seesPost(look) ? shows([commenterOf(look)]) : absent),
  "people",
);
/** The one comment under each post of an owner, asked by id: what is hidden is not there. */
export const commentsOfPosts = aboutOwner(
  "comments-visible",
  ({ sight, viewer, owner }) =>
    shows(sight.posts(viewer, owner).map((audience) => `${commenterOf({ owner, audience })} on ${owner} ${audience}`)),
  "comments",
);
/** What the fan said, under both owners' posts; `isFound` where who they do not find is not there. */
export const fansComments = (isFound: boolean): Rule =>
  aboutOwner(
    "comments-visible",
    ({ sight, viewer, owner }) => {
      if (isFound && !sight.finds(viewer, owner, "fan")) return absent;
      if (!sight.meets(viewer, owner, "fan")) return shows([]);
      const seen = owners.flatMap((whose) =>
        sight.postsOf(viewer, owner, whose).map((audience) => ({ whose, audience })),
      );
      const said = seen.filter(({ whose, audience }) => commenterOf({ owner: whose, audience }) === "fan");
      return shows(said.map(({ whose, audience }) => `fan on ${whose} ${audience}`));
    },
    "comments",
  );
export const commentsVisible = aboutPost(
  "post-visible",
  (look) => (seesPost(look) ? shows(met(look, under(look)).map((name) => `${name} on ${postName(look)}`)) : absent),
  "comments",
);
/** The one comment by the fan, or by the owner where nobody else may say anything. */
export const commenterOf = ({ owner, audience }: Pick<Look, "owner" | "audience">): Name =>
  audience === "ONLY_ME" ? owner : "fan";
/** Nobody replies to a comment in this world. */
export const repliesVisible = aboutPost("comment-visible", (look) => (seesPost(look) ? shows([]) : absent), "comments");
export const threadVisible = aboutPost("post-visible", (look) => (seesPost(look) ? ok : absent));
/** Of the comments asked about, a viewer wrote one only where nobody else may see the post. */
export const commentersOnly = aboutPost(
  "commenter-only-write",
  write((look) => (look.viewer === "owner" && commenterOf(look) === look.owner ? ok : absent)),
);
export const commentVisible = aboutPost(
  "comment-visible",
  (look) => (seesPost(look) ? shows([`${commenterOf(look)} on ${postName(look)}`]) : absent),
  "comments",
);
export const writeUnderPost = aboutPost(
  "post-visible-write",
  write((look) => (seesPost(look) ? ok : absent)),
);
/** Whether there is such a post is said before who may write: it tells a suspended account what a read tells. */
export const writeAfterReading = aboutPost(
  "post-visible-write",
  signedIn((look) => (seesPost(look) ? write(() => ok)(look) : absent)),
);
export const authorsOnly = aboutPost(
  "owner-only-write",
  write(({ viewer }) => (viewer === "owner" ? ok : absent)),
);

/** What is for everybody may be passed on, by who sees it. */
export const repostable = aboutPost(
  "post-visible-write",
  write((look) => (seesPost(look) ? (look.audience === "PUBLIC" ? ok : refused("not-for-everybody")) : absent)),
);
/** No post of this world asks anything: who sees it is told so. */
export const votable = aboutPost(
  "post-visible-write",
  write((look) => (seesPost(look) ? refused("no-poll") : absent)),
);
/** About what nobody has. */
export const neverThere = aboutPost(
  "owner-only-write",
  write(() => absent),
);

/** What somebody does about an account: nobody to themselves, and only about whom they find. */
export const aboutAccount = aboutOwner(
  "account-write",
  write(({ sight, viewer, owner }) => (viewer === "owner" ? itself : sight.finds(viewer, owner, owner) ? ok : absent)),
);
export const following = aboutOwner(
  "follow",
  write((look) => (look.viewer === "blocker" ? refused("blocking") : aboutAccount.due(look))),
);
/** About somebody who asked both owners. */
export const answering = aboutOwner(
  "owner-only-write",
  write(({ viewer }) => (viewer === "owner" ? ok : absent)),
);
/** What ends nothing where there is nothing. */
export const ending = aboutOwner(
  "open-account",
  write(() => ok),
);

/** Between services, whoever is behind the call. */
export const service = aboutOwner("service", () => ok);
export const operator = aboutOwner("operator", () => ok);

/** How each viewer stands to the owner, as they are told. Of who blocks them they hear nothing, nor whose friend they are. */
const told: { readonly [V in Viewer]?: readonly string[] } = {
  follower: ["following"],
  friend: ["following"],
  muted: ["following", "muting"],
  suspended: ["following"],
  requested: ["requested"],
  blocker: ["blocking"],
};
export const relationship = aboutOwner(
  "own",
  signedIn(({ viewer }) => shows(told[viewer] ?? [])),
  "people",
);

/** What is true of the first of some relationships. */
export const flagsIn = (relationships: JsonValue | undefined): string[] =>
  Object.entries((relationships as JsonObject[])[0] ?? {}).flatMap(([name, value]) => (value === true ? [name] : []));
