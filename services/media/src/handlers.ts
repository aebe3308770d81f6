import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import { type MediaService, State } from "#gen/skein/media/v1/media_pb.ts";
import { mustBeWanted, viewerOf, within } from "#lib/mesh/call.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { parseId } from "#lib/storage/id.ts";
import { keyOf } from "#lib/storage/idempotency.ts";
import type { Objects } from "#lib/storage/objects.ts";
import type { Processing } from "./consumer/process.ts";
import type { previewing } from "./handlers/preview.ts";
import { altOf, attachmentOf, kindOf, mediaIdsOf, sizeOf } from "./handlers/rules.ts";
import type { UploadTokens } from "./handlers/token.ts";
import type { StoredMedia } from "./store/media.ts";
import type { MediaStore } from "./store.ts";

/** An address of a direct upload is good for so long. */
const directSeconds = 3_600;

type Needs = {
  readonly store: MediaStore;
  readonly objects: Objects;
  readonly processing: Processing;
  readonly tokens: UploadTokens;
  readonly standings: StandingReader;
  readonly orphanSeconds: number;
  readonly fetchPreview: ReturnType<typeof previewing>;
};

export function mediaHandlers(needs: Needs): ServiceImpl<typeof MediaService> {
  const { store, objects, processing, tokens, standings, orphanSeconds, fetchPreview } = needs;

  async function own(sent: string, ownerId: bigint): Promise<StoredMedia> {
    const id = parseId(sent);
    const media = id === undefined ? undefined : await store.byId(id);
    if (media?.ownerId !== ownerId) throw notFound("media");
    return media;
  }

  return {
    async createMedia(req, ctx) {
      const ownerId = BigInt(viewerOf(ctx));
      const kind = kindOf(req.kind);
      const sizeBytes = sizeOf(req.sizeBytes, kind);
      const wanted = { ownerId, kind, sizeBytes, alt: altOf(req.alt), key: keyOf(req.idempotencyKey) };
      await mustBeOpen(standings, ownerId, within(ctx));
      const { media, replayed } = await store.create(wanted, () => mustBeWanted(ctx));
      const expireTime = timestampFromMs(media.createTime.getTime() + orphanSeconds * 1_000);
      const directUrl = (await objects.direct(directOf(media.id), sizeBytes, directSeconds)) ?? "";
      const upload = { path: `/media/uploads/${tokens.mint(media.id)}`, directUrl, expireTime };
      return { media: shown(media), state: media.state, upload, replayed };
    },

    async getMedia(req, ctx) {
      const media = await own(req.mediaId, BigInt(viewerOf(ctx)));
      const { state, failure, receivedBytes } = media;
      return { media: shown(media), state, failure, receivedBytes: BigInt(receivedBytes) };
    },

    async completeMedia(req, ctx) {
      const ownerId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, ownerId, within(ctx));
      const media = await own(req.mediaId, ownerId);
      if (media.state !== State.UPLOADING) return { state: media.state };
      const object = directOf(media.id);
      if (media.receivedBytes > 0 || (await objects.head(object)) !== media.sizeBytes) {
        throw problem(Code.FailedPrecondition, "upload-incomplete", "bytes are missing");
      }
      await store.addPart(media, { start: 0, sizeBytes: media.sizeBytes, object });
      processing.begin(media.id);
      return { state: State.PROCESSING };
    },

    async deleteMedia(req, ctx) {
      const ownerId = BigInt(viewerOf(ctx));
      await mustBeOpen(standings, ownerId, within(ctx));
      const id = parseId(req.mediaId);
      if (id !== undefined) await store.takeBack(id, ownerId);
      return {};
    },

    async attachMedia(req, ctx) {
      const ownerId = BigInt(viewerOf(ctx));
      const media = await store.attach(mediaIdsOf(req.mediaIds), {
        ownerId,
        attachment: attachmentOf(req.attachment),
        kind: req.kind,
      });
      return { media: media.map(shown) };
    },

    async fetchPreview({ url }) {
      return await fetchPreview(url);
    },
  };
}

/** Where a direct upload puts all its bytes. */
const directOf = (id: bigint): string => `parts/${id}/direct`;

const shown = ({ id, kind, alt, width, height, durationMs, blurhash, handle, variants }: StoredMedia) => ({
  id: String(id),
  kind,
  alt,
  width,
  height,
  durationMs,
  blurhash,
  handle,
  variants: [...variants],
});
