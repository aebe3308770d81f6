import type { CallOptions, Client, HandlerContext } from "@connectrpc/connect";
import { Kind, type Media, type MediaService } from "#gen/skein/media/v1/media_pb.ts";
import type { UpdateProfileRequest } from "#gen/skein/user/v1/user_pb.ts";
import { originOf } from "#lib/events/outbox.ts";
import { callOf, viewerOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import type { Witness } from "#lib/readmodel/witness.ts";
import { claimMedia, claimOfAvatar } from "#lib/service/claims.ts";
import { idOf } from "#lib/storage/id.ts";
import type { AuthorVersions } from "../read-model.ts";
import type { ProfileChange } from "../store/profile.ts";
import type { UserStore } from "../store.ts";
import { bioOf, displayNameOf } from "./rules.ts";
import { shown } from "./shown.ts";

type Photos = Pick<Client<typeof MediaService>, "attachMedia">;

export type ProfileNeeds = {
  readonly store: UserStore;
  readonly versions: AuthorVersions;
  readonly standings: StandingReader;
  readonly readers: Witness;
  readonly media: Photos;
  readonly nudge: () => void;
};

/** Changes what the viewer's profile says. Readers know the version before by its number, and take it for old from the answer on. */
export const updatingProfile =
  ({ store, versions, standings, readers, media, nudge }: ProfileNeeds) =>
  async (req: UpdateProfileRequest, ctx: HandlerContext) => {
    const userId = BigInt(viewerOf(ctx));
    await mustBeOpen(standings, userId, within(ctx));
    const change = await profileChangeOf(req, userId, media, within(ctx));
    await readers.mustReachReaders();
    await store.update(userId, change, originOf(ctx));
    nudge();
    const user = (await store.byIds([userId])).get(userId);
    if (user === undefined) throw notFound("user");
    await readers.obeyed(() => versions.apply([user]), callOf(ctx));
    return { user: shown(user) };
  };

/** What is to change: only what was sent. A picture is claimed here, so that it is nothing else's; none is taken away. */
async function profileChangeOf(
  { displayName, bio, avatarMediaId }: UpdateProfileRequest,
  userId: bigint,
  photos: Photos,
  options: CallOptions,
): Promise<ProfileChange> {
  const change = {
    ...(displayName !== undefined && { displayName: (username: string) => displayNameOf(displayName, username) }),
    ...(bio !== undefined && { bio: bioOf(bio) }),
  };
  // Whatever is wrong with the words is told before anything is claimed.
  change.displayName?.("somebody");
  if (avatarMediaId === undefined) return change;
  return { ...change, avatar: avatarMediaId === "" ? null : await claimed(avatarMediaId, userId, photos, options) };
}

async function claimed(mediaId: string, userId: bigint, photos: Photos, options: CallOptions): Promise<Media> {
  const claim = { mediaIds: [idOf(mediaId, "avatar_media_id")], attachment: claimOfAvatar(userId), kind: Kind.PHOTO };
  const [photo] = await claimMedia(photos, claim, options);
  return photo as Media;
}
