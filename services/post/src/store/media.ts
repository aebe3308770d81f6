import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Media, MediaSchema } from "#gen/skein/media/v1/media_pb.ts";
import type { Row } from "#lib/storage/mysql.ts";

/** A post's media as its row keeps them; NULL where it has none. */
export const mediaColumn = (media: readonly Media[]): string | null =>
  media.length === 0 ? null : JSON.stringify(media.map((one) => toJson(MediaSchema, one)));

/** The same, read back. Fields of a later release are passed over. */
export const mediaIn = ({ media }: Row): Media[] =>
  media === null || media === undefined
    ? []
    : (JSON.parse(String(media)) as JsonValue[]).map((one) =>
        fromJson(MediaSchema, one, { ignoreUnknownFields: true }),
      );
