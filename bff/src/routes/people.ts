import type { CallOptions, HandlerContext } from "@connectrpc/connect";
import type { User } from "#gen/skein/api/v1/resources_pb.ts";
import type { Relationship } from "#gen/skein/graph/v1/graph_pb.ts";
import { within } from "#lib/mesh/call.ts";
import type { Clients } from "../clients.ts";
import { usersById } from "../compose/users.ts";
import { relationView } from "../view/user.ts";
import { userIdOf } from "./ids.ts";
import { pageOf } from "./page.ts";

type Change = (
  request: { userId: string },
  options: CallOptions,
) => Promise<{ relationship?: Relationship | undefined }>;
type Page = { pageSize: number; pageToken: string };
type List = (request: Page, options: CallOptions) => Promise<{ userIds: string[]; nextPageToken: string }>;
type Needs = Pick<Clients, "user" | "graph">;

/** What the viewer does about a user: answers how the two stand then. */
export const changing =
  (clients: Pick<Clients, "user">, change: Change) =>
  async ({ user }: { readonly user: string }, ctx: HandlerContext) => {
    const { relationship } = await change({ userId: await userIdOf(user, clients, ctx) }, within(ctx));
    return { viewer: relationView(relationship) };
  };

/** A list of the viewer's own: ids, then users. */
export const listing =
  (clients: Needs, list: List) =>
  async (
    request: Parameters<typeof pageOf>[0],
    ctx: HandlerContext,
  ): Promise<{ users: User[]; nextPageToken: string }> => {
    const { userIds, nextPageToken } = await list(pageOf(request), within(ctx));
    return { users: await usersById(userIds, clients, ctx), nextPageToken };
  };
