import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { viewerOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import { labelOf } from "#lib/mesh/text.ts";
import { ownMark } from "#lib/readmodel/families.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { idOf, parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import type { PageTokens } from "#lib/storage/page.ts";
import type { OwnReadModel } from "../read-model/own.ts";
import type { PostReadModel } from "../read-model.ts";
import type { CollectionStore, StoredCollection } from "../store/collection.ts";
import type { SaveStore } from "../store/save.ts";
import { seeing } from "./seen.ts";
import { ownPage } from "./visible.ts";

/** Posts in one batch. */
const batchMax = 100;
/** A name: what a screen shows in one line. */
const nameGraphemesMax = 50;
/** A row's part of it: a grapheme may be long, a name may not. */
const nameCodePointsMax = 250;

type Handlers = ServiceImpl<typeof SaveService>;

type Needs = {
  store: SaveStore;
  collections: CollectionStore;
  own: OwnReadModel;
  marks: (userId: bigint, postIds: readonly bigint[]) => Promise<ReadonlyMap<bigint, number>>;
  readModel: Pick<PostReadModel, "load">;
  standings: StandingReader;
  pageTokens: PageTokens;
  nudge: () => void;
};

export const saveHandlers = (needs: Needs): Handlers => ({ ...keeping(needs), ...lists(needs), ...named(needs) });

function keeping(needs: Needs): Pick<Handlers, "savePost" | "unsavePost"> {
  const { store, own, standings, nudge } = needs;
  async function set(postId: bigint, saved: boolean, collectionId: bigint, ctx: HandlerContext): Promise<void> {
    const userId = BigInt(viewerOf(ctx));
    const done = await store.set({ userId, postId, saved, collectionId }, originOf(ctx));
    nudge();
    await (done === undefined ? own.applied(userId) : own.apply(done));
  }
  const seen = seeing(needs);

  return {
    async savePost(req, ctx) {
      const postId = postIdOf(req.postId);
      const collectionId = req.collectionId === "" ? 0n : collectionIdOf(req.collectionId);
      await mustBeOpen(standings, BigInt(viewerOf(ctx)), within(ctx));
      await seen.require(postId, ctx);
      await set(postId, true, collectionId, ctx);
      return {};
    },

    async unsavePost(req, ctx) {
      const postId = postIdOf(req.postId);
      const userId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, userId, within(ctx));
      // What one kept may be let go, and again, also when one may no longer see it; of the rest there is none.
      if (await store.hasSaved(userId, postId)) await set(postId, false, 0n, ctx);
      else await seen.require(postId, ctx);
      return {};
    },
  };
}

function lists(needs: Needs): Pick<Handlers, "listSaves" | "batchGetSaves" | "getSavedSet"> {
  const { store, collections, own, marks } = needs;
  return {
    async listSaves(req, ctx) {
      const collectionId = req.collectionId === "" ? 0n : collectionIdOf(req.collectionId);
      if (collectionId !== 0n) await collections.find(BigInt(viewerOf(ctx)), collectionId);
      return ownPage(
        needs,
        { ...req, scope: `saves:${collectionId}` },
        (viewerId, before, limit) => store.list(viewerId, collectionId, before, limit),
        ctx,
      );
    },

    async batchGetSaves(req, ctx) {
      if (req.postIds.length > batchMax) throw invalid("post_ids", `must be at most ${batchMax}`);
      const ids = req.postIds.map((id) => parseId(id) ?? 0n);
      const found = await marks(BigInt(viewerOf(ctx)), ids);
      const are = (mark: number) => ids.map((id) => ((found.get(id) ?? 0) & mark) !== 0);
      return { saved: are(ownMark.saved), reposted: are(ownMark.reposted) };
    },

    async getSavedSet(req) {
      const { version, lowWatermark, own: marked } = await own.loadSet(idOf(req.userId, "user_id"));
      const those = (of: number) => marked.flatMap(([id, mark]) => ((mark & of) === 0 ? [] : [id]));
      return { version, lowWatermark, postIds: those(ownMark.saved), repostedIds: those(ownMark.reposted) };
    },
  };
}

/** What is done about collections: nobody else ever learns of one. */
function named({
  collections,
  standings,
}: Needs): Pick<Handlers, "createCollection" | "renameCollection" | "deleteCollection" | "listCollections"> {
  const mayWrite = async (ctx: HandlerContext): Promise<bigint> => {
    const userId = BigInt(viewerOf(ctx));
    await mustBeOpen(standings, userId, within(ctx));
    return userId;
  };
  return {
    async createCollection(req, ctx) {
      const [name, key] = [nameOf(req.name), keyOf(req.idempotencyKey)];
      const { collection, replayed } = await collections.create(await mayWrite(ctx), name, key);
      return { collection: shown(collection), replayed };
    },

    async renameCollection(req, ctx) {
      const [name, id] = [nameOf(req.name), collectionIdOf(req.collectionId)];
      return { collection: shown(await collections.rename(await mayWrite(ctx), id, name)) };
    },

    async deleteCollection(req, ctx) {
      const id = collectionIdOf(req.collectionId);
      await collections.delete(await mayWrite(ctx), id);
      return {};
    },

    async listCollections(_req, ctx) {
      return { collections: (await collections.list(BigInt(viewerOf(ctx)))).map(shown) };
    },
  };
}

const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });

/** A name in one line, trimmed and composed. */
function nameOf(sent: string): string {
  const name = labelOf(sent, "name", nameCodePointsMax);
  if ([...graphemes.segment(name)].length > nameGraphemesMax) {
    throw invalid("name", `must be at most ${nameGraphemesMax} characters`);
  }
  return name;
}

function postIdOf(sent: string): bigint {
  const id = parseId(sent);
  if (id === undefined) throw notFound("post");
  return id;
}

function collectionIdOf(sent: string): bigint {
  const id = parseId(sent);
  if (id === undefined) throw notFound("collection");
  return id;
}

const shown = ({ collectionId, name, postCount }: StoredCollection) => ({
  collectionId: String(collectionId),
  name,
  postCount,
});
