import type { ServiceImpl } from "@connectrpc/connect";
import type { MediaService, MediaState } from "#gen/skein/api/v1/media_pb.ts";
import type { Kind, Media } from "#gen/skein/media/v1/media_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import { mediaView } from "../view/media.ts";
import { isId } from "./ids.ts";

export function mediaRoutes({ media: own }: Pick<Clients, "media">): ServiceImpl<typeof MediaService> {
  return {
    async createMedia({ kind, sizeBytes, alt }, ctx) {
      const request = {
        kind: kind as number as Kind,
        sizeBytes: BigInt(sizeBytes),
        alt,
        idempotencyKey: idempotencyKeyOf(ctx),
      };
      const { media, state, upload, replayed } = await own.createMedia(request, within(ctx));
      if (replayed) ctx.responseHeader.set("Idempotency-Replayed", "true");
      const { path = "", directUrl = "", expireTime } = upload ?? {};
      return {
        ...shown(media),
        state: state as number as MediaState,
        upload: { url: path, ...(directUrl !== "" && { directUrl }), ...(expireTime && { expireTime }) },
      };
    },

    async getMedia({ media }, ctx) {
      const found = await own.getMedia({ mediaId: mediaIdOf(media) }, within(ctx));
      const { state, failure, receivedBytes } = found;
      return {
        ...shown(found.media),
        state: state as number as MediaState,
        failure,
        receivedBytes: Number(receivedBytes),
      };
    },

    async completeMedia({ media }, ctx) {
      const { state } = await own.completeMedia({ mediaId: mediaIdOf(media) }, within(ctx));
      return { state: state as number as MediaState };
    },

    async deleteMedia({ media }, ctx) {
      await own.deleteMedia({ mediaId: mediaIdOf(media) }, within(ctx));
      return {};
    },
  };
}

const shown = (media: Media | undefined) => media && { media: mediaView(media) };

function mediaIdOf(media: string): string {
  if (!isId(media)) throw notFound("media");
  return media;
}
