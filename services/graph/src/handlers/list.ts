import type { HandlerContext } from "@connectrpc/connect";
import { notFound } from "#lib/mesh/errors.ts";
import { labelOf } from "#lib/mesh/text.ts";
import { maySeeAccount } from "#lib/readmodel/audience.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import type { StoredList } from "../store/lists.ts";
import { closeFriends } from "../store/pairs.ts";
import { askedIn, changed, type GraphHandlers, type Needs, viewerIdOf } from "./call.ts";
import { peoplePage } from "./page.ts";
import { seenBy } from "./standing.ts";

/** Code points of a name. */
const nameMax = 50;
/** What close friends are called where a list is named by its id. */
const closeFriendsId = "close-friends";

export function listHandlers(needs: Needs) {
  const { store, pageTokens: tokens } = needs;
  const { lists } = store;

  async function setMember(req: { listId: string; userId: string }, isMember: boolean, ctx: HandlerContext) {
    const [listId, userId] = [listIdOf(req.listId), idOf(req.userId, "user_id")];
    await changed(needs, ctx, () => lists.setMember(askedIn(ctx), listId, userId, isMember));
    return {};
  }

  return {
    async createList(req, ctx) {
      const [name, key] = [nameOf(req.name), keyOf(req.idempotencyKey)];
      const { list, replayed } = await lists.create(askedIn(ctx), name, key);
      return { list: shown(list), replayed };
    },

    async renameList(req, ctx) {
      const name = nameOf(req.name);
      return { list: shown(await lists.rename(askedIn(ctx), listIdOf(req.listId), name)) };
    },

    async deleteList(req, ctx) {
      await lists.delete(askedIn(ctx), listIdOf(req.listId));
      return {};
    },

    listLists: async (_req, ctx) => ({ lists: (await lists.lists(viewerIdOf(ctx))).map(shown) }),
    addListMember: (req, ctx) => setMember(req, true, ctx),
    removeListMember: (req, ctx) => setMember(req, false, ctx),

    async getMemberSet(req, ctx) {
      return { userIds: await lists.memberSet(viewerIdOf(ctx), listIdOf(req.listId)) };
    },

    async listListMembers(req, ctx) {
      const [viewerId, listId] = [viewerIdOf(ctx), listIdOf(req.listId)];
      const read = await lists.members(viewerId, listId);
      const keep = seenBy(store, viewerId, maySeeAccount);
      return peoplePage({ tokens, scope: `list:${viewerId}:${listId}`, request: req, read, keep });
    },
  } satisfies Partial<GraphHandlers>;
}

function listIdOf(sent: string): bigint {
  if (sent === closeFriendsId) return closeFriends;
  const id = parseId(sent);
  if (id === undefined) throw notFound("list");
  return id;
}

const nameOf = (sent: string): string => labelOf(sent, "name", nameMax);

const shown = ({ listId, name, memberCount }: StoredList) => ({
  listId: listId === closeFriends ? closeFriendsId : String(listId),
  name,
  memberCount,
});
