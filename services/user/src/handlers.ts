import { type Client, Code, type ServiceImpl } from "@connectrpc/connect";
import { AccountState, type GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import type { ImportUsersRequest, UserService } from "#gen/skein/user/v1/user_pb.ts";
import { anyViewerIdOf, callOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound, problem } from "#lib/mesh/errors.ts";
import { maySeeAccount } from "#lib/readmodel/audience.ts";
import type { StandingReader } from "#lib/readmodel/standing.ts";
import { parseId } from "#lib/storage/id.ts";
import type { Passwords } from "./handlers/password.ts";
import { type ProfileNeeds, updatingProfile } from "./handlers/profile.ts";
import { bioOf, displayNameOf, importedUsernameOf, lookupOf, passwordOf, usernameOf } from "./handlers/rules.ts";
import type { Sessions } from "./handlers/session.ts";
import { shown, slotOf } from "./handlers/shown.ts";
import type { AuthorVersions } from "./read-model.ts";
import { type StoredUser, type UserStore, userState } from "./store.ts";

/** Ids in one batch. */
const batchMax = 100;
/** Users in one import call. */
const importMax = 1_000;

type Needs = ProfileNeeds & {
  store: UserStore;
  versions: AuthorVersions;
  graph: Client<typeof GraphService>;
  standings: StandingReader;
  passwords: Passwords;
  sessions: Sessions;
  nudge: () => void;
};
type Context = Parameters<typeof callOf>[0];

/** How long a registration may be sent again. Later it is somebody who wants a name that is taken. */
const againMs = 600_000;

export function userHandlers(needs: Needs): ServiceImpl<typeof UserService> {
  const { store, versions, standings, passwords, sessions } = needs;
  return {
    async register(req, ctx) {
      const username = usernameOf(req.username);
      const displayName = displayNameOf(req.displayName, username);
      const passwordHash = await passwords.hash(passwordOf(req.password));
      const id =
        (await store.begin({ username, displayName, bio: "", passwordHash })) ??
        (await sameAgain(username, req.password, ctx));
      await finishRegistration(needs, id, ctx);
      const user = (await versions.load([id])).get(id);
      if (user === undefined) throw notFound("user");
      return { user: shown(user), session: await sessions.open(id) };
    },

    async logIn(req, ctx) {
      const user = await store.byName(lookupOf(req.username));
      const right = await passwords.verify(req.password.slice(0, 512), user?.passwordHash);
      if (!right || user === undefined) {
        throw wrongCredentials();
      }
      if (user.state === userState.registering) await finishRegistration(needs, user.id, ctx);
      if (await isEnded(user.id, ctx)) throw wrongCredentials();
      return { user: shown(user), session: await sessions.open(user.id) };
    },

    updateProfile: updatingProfile(needs),

    async getUser(req, ctx) {
      const name = lookupOf(req.user);
      const id = parseId(req.user) ?? (await store.byNames([name])).get(name);
      const user = id === undefined ? undefined : (await seen([id], ctx)).get(id);
      if (user === undefined) throw notFound("user");
      return { user: shown(user) };
    },

    async batchGetUsers(req, ctx) {
      const ids = idsOf(req.userIds);
      const users = await seen(ids, ctx);
      return { users: ids.map((id) => slotOf(users.get(id))) };
    },

    async batchFindUsers(req, ctx) {
      const names = namesOf(req.usernames);
      const ids = await store.byNames(names);
      const users = await seen([...new Set(ids.values())], ctx);
      const idOf = (name: string) => ids.get(name) ?? 0n;
      return { userIds: names.map((name) => (users.has(idOf(name)) ? idOf(name) : 0n)) };
    },

    async batchGetAuthorVersions(req) {
      const ids = idsOf(req.userIds);
      const users = await versions.load(ids);
      const versionOf = (user: StoredUser | undefined) => (user?.state === userState.open ? user.version : 0);
      return { versions: ids.map((id) => BigInt(versionOf(users.get(id)))) };
    },

    importUsers: importing(needs),
  };

  /** Those of some users whom the viewer of a call may know of. The operator's commands find everybody. */
  async function seen(ids: readonly bigint[], ctx: Context): Promise<Map<bigint, StoredUser>> {
    const viewerId = anyViewerIdOf(ctx);
    const open = [...(await versions.load(ids))].filter(([, { state }]) => state === userState.open);
    if (callOf(ctx).caller === "operator") return new Map(open);
    // One always finds oneself, also while nobody says how accounts stand: a create shows its author.
    const openIds = open.map(([id]) => id).filter((id) => id !== viewerId);
    if (openIds.length === 0 && open.length > 0) return new Map(open);
    // Of nobody too something is asked: the time that it takes does not tell that an account is hidden.
    const asked = openIds.length === 0 && viewerId !== undefined ? [viewerId] : openIds;
    const known = await standings(viewerId, asked, within(ctx));
    return new Map(open.filter(([id]) => id === viewerId || maySeeAccount(viewerId, id, known.get(id))));
  }

  /** Nobody gets into an account that was ended, and nobody is told that it was there. */
  async function isEnded(userId: bigint, ctx: Context): Promise<boolean> {
    return (await standings(undefined, [userId], within(ctx))).get(userId)?.state === AccountState.GONE;
  }

  /** A registration that comes again (a retry, an answer that got lost) is known by its password, while it is young. */
  async function sameAgain(username: string, password: string, ctx: Context): Promise<bigint> {
    const user = await store.byName(username);
    const isYoung = user !== undefined && Date.now() - user.createTime.getTime() < againMs;
    const mayBeSame = isYoung || user?.state === userState.registering;
    const isSame = mayBeSame && (await passwords.verify(password, user?.passwordHash)) && user !== undefined;
    if (isSame && !(await isEnded(user.id, ctx))) return user.id;
    throw problem(Code.AlreadyExists, "handle-taken", "the username is taken", [
      { field: "username", rule: "is taken" },
    ]);
  }
}

const importing =
  ({ store, passwords, nudge }: Pick<Needs, "store" | "passwords" | "nudge">) =>
  async (req: ImportUsersRequest, ctx: Context) => {
    if (req.users.length > importMax) throw invalid("users", `must be at most ${importMax}`);
    const passwordHash = req.password === "" ? "" : await passwords.hash(passwordOf(req.password));
    const users = req.users.map(({ username, displayName, bio }) => {
      const name = importedUsernameOf(username);
      return { username: name, displayName: displayNameOf(displayName, name), bio: bioOf(bio), passwordHash };
    });
    const ids = await store.importAll(users, { actor: 0n, traceparent: callOf(ctx).traceparent });
    nudge();
    return { userIds: users.map(({ username }) => String(ids.get(username) ?? 0)) };
  };

const wrongCredentials = () =>
  problem(Code.Unauthenticated, "invalid-credentials", "the name or the password is wrong");

/** The steps of the saga after the first; each may run again. */
export async function finishRegistration(
  { store, graph, nudge }: Pick<Needs, "store" | "graph" | "nudge">,
  id: bigint,
  ctx: Context,
): Promise<void> {
  await graph.createAccount({ userId: String(id) }, within(ctx));
  await store.finish(id, { actor: id, traceparent: callOf(ctx).traceparent });
  nudge();
}

function idsOf(userIds: readonly string[]): bigint[] {
  if (userIds.length > batchMax) throw invalid("user_ids", `must be at most ${batchMax}`);
  return userIds.map((id) => parseId(id) ?? 0n);
}

function namesOf(usernames: readonly string[]): string[] {
  if (usernames.length > batchMax) throw invalid("usernames", `must be at most ${batchMax}`);
  return usernames.map(lookupOf);
}
