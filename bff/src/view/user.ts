import { create } from "@bufbuild/protobuf";
import { type Author, AuthorSchema, type User as ShownUser, UserSchema } from "#gen/skein/api/v1/resources_pb.ts";
import type { Account, Relationship } from "#gen/skein/graph/v1/graph_pb.ts";
import type { User } from "#gen/skein/user/v1/user_pb.ts";
import { mediaView } from "./media.ts";

/** A user as shown: the profile, the counts, and how a signed-in viewer stands to them. */
export function userView(user: User, account: Account | undefined, viewerId: string | undefined): ShownUser {
  const { id, username, displayName, bio, createTime, avatar } = user;
  return create(UserSchema, {
    id,
    username,
    displayName,
    bio,
    ...(createTime && { createTime }),
    ...(avatar && { avatar: mediaView(avatar) }),
    followerCount: Number(account?.followerCount ?? 0n),
    followingCount: Number(account?.followingCount ?? 0n),
    private: account?.private ?? false,
    ...(viewerId !== undefined && { viewer: relationView(account?.viewer) }),
  });
}

export const relationView = (relationship: Relationship | undefined) => ({
  following: relationship?.following ?? false,
  followedBy: relationship?.followedBy ?? false,
  requested: relationship?.requested ?? false,
  requestedBy: relationship?.requestedBy ?? false,
  blocking: relationship?.blocking ?? false,
  muting: relationship?.muting ?? false,
  closeFriend: relationship?.closeFriend ?? false,
});

/** The author as shown beside a post. */
export const authorView = ({ id, username, displayName, avatar }: User): Author => {
  const [smallest] = avatar === undefined ? [] : mediaView(avatar).variants;
  return create(AuthorSchema, { id, username, displayName, ...(smallest && { avatarUrl: smallest.url }) });
};
