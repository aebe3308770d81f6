import type { SaveService } from "#gen/skein/api/v1/save_pb.ts";
import type { Collection } from "#gen/skein/post/v1/save_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { Pieces } from "../compose/pieces.ts";
import { postsByIdPage } from "../compose/posts-by-id.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import type { Routes } from "../door/rpc.ts";
import { isId, postIdOf } from "./ids.ts";
import { pageOf } from "./page.ts";

export function saveRoutes(clients: Clients, pieces: Pieces): Routes<typeof SaveService> {
  const { post: saves } = clients;
  return {
    async savePost({ post, collection }, ctx) {
      await saves.savePost({ postId: postIdOf(post), collectionId: someCollectionOf(collection) }, within(ctx));
      return { saved: true };
    },

    async unsavePost({ post }, ctx) {
      await saves.unsavePost({ postId: postIdOf(post) }, within(ctx));
      return { saved: false };
    },

    async listSaves({ collection, ...page }, ctx) {
      const asked = { collectionId: someCollectionOf(collection), ...pageOf(page) };
      return postsByIdPage(await saves.listSaves(asked, within(ctx)), { clients, pieces }, ctx);
    },

    async createCollection({ name }, ctx) {
      const request = { name, idempotencyKey: idempotencyKeyOf(ctx) };
      const { collection, replayed } = await saves.createCollection(request, within(ctx));
      if (replayed) ctx.responseHeader.set("Idempotency-Replayed", "true");
      return { collection: shown(collection) };
    },

    async renameCollection({ collection, name }, ctx) {
      const renamed = await saves.renameCollection({ collectionId: collectionIdOf(collection), name }, within(ctx));
      return { collection: shown(renamed.collection) };
    },

    async deleteCollection({ collection }, ctx) {
      await saves.deleteCollection({ collectionId: collectionIdOf(collection) }, within(ctx));
      return {};
    },

    async listCollections(_request, ctx) {
      const { collections } = await saves.listCollections({}, within(ctx));
      return { collections: collections.map(shown) };
    },
  };
}

function collectionIdOf(collection: string): string {
  if (!isId(collection)) throw notFound("collection");
  return collection;
}

const someCollectionOf = (collection: string | undefined): string =>
  collection === undefined ? "" : collectionIdOf(collection);

function shown(collection: Collection | undefined) {
  if (collection === undefined) throw new Error("a collection without itself");
  const { collectionId, name, postCount } = collection;
  return { id: collectionId, name, postCount };
}
