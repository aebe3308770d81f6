import { randomUUID } from "node:crypto";
import { type Client, createClient } from "@connectrpc/connect";
import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { AccountService } from "#gen/skein/graph/v1/account_pb.ts";
import { AccountState, GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { ListService } from "#gen/skein/graph/v1/list_pb.ts";
import { MuteService } from "#gen/skein/graph/v1/mute_pb.ts";
import { RelationService } from "#gen/skein/graph/v1/relation_pb.ts";
import { LikeService, Reaction, SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { Kind, MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import { Audience, PostService } from "#gen/skein/post/v1/post_pb.ts";
import { RepostService } from "#gen/skein/post/v1/repost_pb.ts";
import { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { onBehalfOf } from "#lib/mesh/call.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { insist } from "../../../tools/operator.ts";

/** Everybody who may look, by how they stand to both owners. */
export const viewers = [
  "anonymous",
  "stranger",
  "follower",
  "requested",
  "friend",
  "blocked",
  "blocker",
  "muted",
  "owner",
  "suspended",
] as const;
export type Viewer = (typeof viewers)[number];

/** Whose things are looked at: one account is private, one is not, and the rest of the two is the same. */
export const owners = ["private", "public"] as const;
export type Owner = (typeof owners)[number];

/** The kinds of post that each owner has, and whom a post that names people names. */
export const audiences = ["PUBLIC", "FOLLOWERS", "CLOSE_FRIENDS", "MENTIONED", "ONLY_ME"] as const;
export type AudienceName = (typeof audiences)[number];
export const mentioned = ["stranger", "friend", "blocked", "blocker", "suspended", "fan"] as const;

/** Everybody who looks, and whose is looked at, is named in every comment. */
export const named = [...owners, ...viewers.filter((name) => name !== "anonymous" && name !== "owner")] as const;

/**
 * Who is there beside owners and viewers: a fan, who sees nearly everything, says and likes something under it, passes on what is for
 * everybody, and is followed by all; somebody who did the same and left; a foe, who did the same and blocks the follower; somebody who
 * asked to follow.
 */
const extras = ["fan", "leaver", "foe", "asker"] as const;

const names = [...owners, ...viewers.filter((name) => name !== "anonymous" && name !== "owner"), ...extras] as const;
export type Name = (typeof names)[number];

/** Who says and likes something under what is for everybody, and passes it on. */
export const underPublic = ["fan", "leaver", "foe"] as const;

export const password = "correct horse battery";

/** Who follows both owners. The last comes first in a list. */
export const followers = ["follower", "friend", "muted", "suspended", "fan", "leaver", "foe"] as const;

export type World = {
  readonly prefix: string;
  readonly people: ReadonlyMap<Name, string>;
  /** By `<owner> <audience>`; and the fan's own, which both owners pass on. */
  readonly posts: ReadonlyMap<string, string>;
  /** Activities, by `<post> by <who passes it on>`. */
  readonly reposts: ReadonlyMap<string, string>;
  /** By `<author> on <owner> <audience>`. */
  readonly comments: ReadonlyMap<string, string>;
  /** A list of each owner's own, with the fan on it. */
  readonly lists: ReadonlyMap<Owner, string>;
  /** An upload of each owner's that is announced. */
  readonly media: ReadonlyMap<Owner, string>;
  /** A draft of each owner's own. */
  readonly drafts: ReadonlyMap<Owner, string>;
};

export type Makers = ReturnType<typeof openMakers>;

/** Clients of all services that worlds are made with, as the operator's commands are, behind the mesh. */
export function openMakers({ mesh, key }: { mesh: string; key: string }) {
  const once = grpcTransport({ address: mesh, caller: "operator", key });
  // Each write names its key or its state, so on a busy machine it may come again.
  const transport: typeof once = { ...once, unary: (...call) => insist(() => once.unary(...call)) };
  const graph = [GraphService, RelationService, MuteService, ListService, AccountService] as const;
  return {
    user: createClient(UserService, transport),
    post: createClient(PostService, transport),
    repost: createClient(RepostService, transport),
    save: createClient(SaveService, transport),
    draft: createClient(DraftService, transport),
    media: createClient(MediaService, transport),
    like: createClient(LikeService, transport),
    comment: createClient(CommentService, transport),
    graph: Object.assign({}, ...graph.map((desc) => createClient(desc, transport))) as Client<typeof GraphService> &
      Client<typeof RelationService> &
      Client<typeof MuteService> &
      Client<typeof ListService> &
      Client<typeof AccountService>,
    close: () => transport.close(),
  };
}

const callMs = 60_000;

/** Makes a world: the same people, relations and things each time, under other names. */
export async function makeWorld(makers: Makers): Promise<World> {
  const prefix = `w${randomUUID().slice(0, 8)}`;
  const people = await openPeople(makers, prefix);
  const idOf = (name: Name) => people.get(name) as string;
  const as = (name?: Name) => onBehalfOf(name && idOf(name), "operator", callMs);
  const { graph, media: uploads, post, save, draft, like, comment } = makers;

  await Promise.all(
    owners.flatMap((owner) => [
      graph.updateAccount({ private: true }, as(owner)),
      ...(["friend", "fan"] as const).map((friend) =>
        graph.addListMember({ listId: "close-friends", userId: idOf(friend) }, as(owner)),
      ),
      graph.muteWord({ word: `${prefix} ${owner} cannot stand` }, as(owner)),
      graph.muteUser({ userId: idOf("muted") }, as(owner)),
      graph.muteUser({ userId: idOf(owner) }, as("muted")),
    ]),
  );
  const posts = new Map<string, string>();
  for (const owner of owners) {
    for (const audience of audiences) {
      const mentionedUserIds = audience === "MENTIONED" ? mentioned.map(idOf) : [];
      const text = `${prefix} ${owner} ${audience} #${prefix}${owner}`;
      const sent = { text, audience: Audience[audience], mentionedUserIds, idempotencyKey: randomUUID() };
      posts.set(`${owner} ${audience}`, (await post.createPost(sent, as(owner))).post?.id ?? "");
    }
  }
  // A friend sees all but what is for its author alone.
  const forFriends = [...posts].filter(([name]) => !name.endsWith("ONLY_ME"));
  await Promise.all(forFriends.map(([, postId]) => save.savePost({ postId }, as("friend"))));
  const comments = new Map<string, string>();
  await Promise.all(
    reactionsIn(posts).map(async ([author, where, postId]) => {
      const name = `${author} on ${where}`;
      const names = named.map((each) => `@${prefix}_${each}`).join(" ");
      const sent = { postId, text: `${prefix} ${name}: ${names}.`, idempotencyKey: randomUUID() };
      const id = (await comment.createComment(sent, as(author))).comment?.id ?? "";
      comments.set(name, id);
      await like.like({ subject: { kind: SubjectKind.COMMENT, id }, reaction: Reaction.LOVE }, as(author));
      await like.like({ subject: { kind: SubjectKind.POST, id: postId }, reaction: Reaction.LIKE }, as(author));
    }),
  );
  const reposts = await passOn(makers, { prefix, people, posts });
  const lists = new Map<Owner, string>();
  const media = new Map<Owner, string>();
  await Promise.all(
    owners.map(async (owner) => {
      const sent = { name: `${prefix} ${owner}'s own`, idempotencyKey: randomUUID() };
      const listId = (await graph.createList(sent, as(owner))).list?.listId ?? "";
      lists.set(owner, listId);
      const upload = { kind: Kind.PHOTO, sizeBytes: 100n, idempotencyKey: randomUUID() };
      media.set(owner, (await uploads.createMedia(upload, as(owner))).media?.id ?? "");
      await graph.addListMember({ listId, userId: idOf("fan") }, as(owner));
      await graph.followUser({ userId: idOf(owner) }, as("requested"));
      await graph.followUser({ userId: idOf(owner) }, as("asker"));
      await graph.blockUser({ userId: idOf("blocked") }, as(owner));
      await graph.blockUser({ userId: idOf(owner) }, as("blocker"));
    }),
  );
  await graph.updateAccount({ private: false }, as("public"));
  await graph.blockUser({ userId: idOf("follower") }, as("foe"));
  await graph.setOwnState({ state: AccountState.DEACTIVATED }, as("leaver"));
  await graph.setAccountState({ userId: idOf("suspended"), state: AccountState.SUSPENDED }, as());
  const drafts = new Map<Owner, string>();
  for (const owner of owners) {
    const sent = { text: `${prefix} ${owner}'s draft`, idempotencyKey: randomUUID() };
    drafts.set(owner, (await draft.createDraft(sent, as(owner))).draft?.id ?? "");
  }
  return { prefix, people, posts, reposts, comments, lists, drafts, media };
}

/**
 * Takes much of it back: the public account turns private, the follower is blocked, the muted follower removed, the friend no
 * friend any more, what was for everybody deleted, and the fan closes their account.
 */
export async function turn({ graph, post }: Makers, { people, posts }: World): Promise<void> {
  const idOf = (name: Name) => people.get(name) as string;
  const as = (name: Name) => onBehalfOf(idOf(name), "operator", callMs);
  for (const owner of owners) {
    await graph.updateAccount({ private: true }, as(owner));
    await graph.blockUser({ userId: idOf("follower") }, as(owner));
    await graph.removeFollower({ userId: idOf("muted") }, as(owner));
    await graph.removeListMember({ listId: "close-friends", userId: idOf("friend") }, as(owner));
    await post.deletePost({ postId: posts.get(`${owner} PUBLIC`) ?? "" }, as(owner));
  }
  await graph.setOwnState({ state: AccountState.DEACTIVATED }, as("fan"));
}

async function openPeople({ user, graph }: Makers, prefix: string): Promise<Map<Name, string>> {
  const nobody = onBehalfOf(undefined, "operator", callMs);
  const users = names.map((name) => ({ username: `${prefix}_${name}`, displayName: `${prefix} ${name}`, bio: "" }));
  const { userIds } = await user.importUsers({ users, password }, nobody);
  const people = new Map(names.map((name, nth) => [name, userIds[nth] ?? ""]));
  const idsOf = (some: readonly Name[]) => some.map((name) => BigInt(people.get(name) ?? 0));
  const isFollower = (name: string): boolean => followers.some((follower) => follower === name);
  const lists = names.map((name) => ({
    followerId: people.get(name) ?? "",
    followeeIds: [...idsOf(name === "fan" ? [] : ["fan"]), ...idsOf(isFollower(name) ? owners : [])],
  }));
  await graph.importFollows({ lists }, nobody);
  return people;
}

/** Who passes on what, one after the other: where a post stands by several, the newest decides, in every world the same. */
async function passOn(
  { post, repost }: Makers,
  { prefix, people, posts }: Pick<World, "prefix" | "people"> & { readonly posts: Map<string, string> },
): Promise<Map<string, string>> {
  const as = (name: Name) => onBehalfOf(people.get(name), "operator", callMs);
  const own = { text: `${prefix} fan PUBLIC`, audience: Audience.PUBLIC, idempotencyKey: randomUUID() };
  posts.set("fan PUBLIC", (await post.createPost(own, as("fan"))).post?.id ?? "");
  const pairs: readonly [string, Name][] = [
    ...owners.flatMap((owner) => underPublic.map((name): [string, Name] => [`${owner} PUBLIC`, name])),
    ...owners.map((owner): [string, Name] => ["fan PUBLIC", owner]),
  ];
  const reposts = new Map<string, string>();
  for (const [where, name] of pairs) {
    const { activityId } = await repost.repost({ postId: posts.get(where) ?? "" }, as(name));
    reposts.set(`${where} by ${name}`, activityId);
  }
  return reposts;
}

/** Who says and likes something under which post: the author under what is for nobody else. */
function reactionsIn(posts: ReadonlyMap<string, string>): [author: Name, where: string, postId: string][] {
  return [...posts].flatMap(([where, id]): [Name, string, string][] => {
    const [owner, audience] = where.split(" ") as [Owner, AudienceName];
    if (audience === "ONLY_ME") return [[owner, where, id]];
    const all = audience === "PUBLIC" ? underPublic : (["fan"] as const);
    return all.map((author) => [author, where, id]);
  });
}
