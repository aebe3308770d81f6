import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Media, MediaSchema } from "#gen/skein/media/v1/media_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Row, Statements } from "#lib/storage/mysql.ts";
import { profileChanged } from "../events.ts";

/** What of a profile is to be another; what is absent stays. */
export type ProfileChange = {
  /** Of the username, which it is where it is empty. */
  readonly displayName?: (username: string) => string;
  readonly bio?: string;
  /** Null takes it away. */
  readonly avatar?: Media | null;
};

/** A picture as a column holds it. Fields of a later release are passed over. */
export const avatarIn = (column: Row[string] | undefined): Media | undefined =>
  column === null || column === undefined
    ? undefined
    : fromJson(MediaSchema, JSON.parse(String(column)) as JsonValue, { ignoreUnknownFields: true });

/** Changes a profile, and makes a new version of it where that is another. */
export const updateProfile = (
  db: Statements,
  userId: bigint,
  { displayName, bio, avatar }: ProfileChange,
  origin: Origin,
): Promise<void> =>
  db.tx(async (tx) => {
    const [row] = await tx.query(
      "SELECT username, display_name, bio, avatar, version FROM user WHERE id = ? FOR UPDATE", // PRIMARY
      [userId],
    );
    if (row === undefined) throw notFound("user");
    const next = {
      displayName: displayName?.(String(row.username)) ?? String(row.display_name),
      bio: bio ?? String(row.bio),
      avatar: avatar === undefined ? (row.avatar as string | null) : columnOf(avatar),
    };
    const isSame = next.displayName === row.display_name && next.bio === row.bio && next.avatar === row.avatar;
    if (isSame) return;
    const version = Number(row.version) + 1;
    await tx.exec("UPDATE user SET display_name = ?, bio = ?, avatar = ?, version = ? WHERE id = ?", [
      next.displayName, // PRIMARY
      next.bio,
      next.avatar,
      version,
      userId,
    ]);
    const mediaId = BigInt(avatarIn(next.avatar)?.id ?? 0);
    await append(tx, [profileChanged(userId, version, mediaId, origin)]);
  });

const columnOf = (media: Media | null): string | null =>
  media === null ? null : JSON.stringify(toJson(MediaSchema, media));
