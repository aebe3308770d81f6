import { Code } from "@connectrpc/connect";
import { ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { problem } from "#lib/mesh/errors.ts";
import type { Card } from "./card.ts";
import { type ThreadRule, threadRefusal } from "./thread.ts";

/** How an account stands to one viewer: graph's Standing, from the read models or from truth. */
export type Standing = {
  /** AccountState; 0 where there is no such account. */
  readonly state: number;
  readonly isPrivate: boolean;
  /** The viewer follows it. */
  readonly following: boolean;
  /** The viewer blocks it, or mutes it. */
  readonly blocking: boolean;
  readonly muting: boolean;
  /** It blocks the viewer, or counts the viewer among its close friends. */
  readonly blockedBy: boolean;
  readonly closeFriendOf: boolean;
};

/** Who looks; undefined is somebody who is not signed in. */
export type ViewerId = bigint | undefined;

/**
 * The rules of who may see what, in one place for every service; each asks at read time. Denied is what nothing allows: an
 * account without a standing is not there, a post without a card neither.
 */

/** Whether a viewer may know of an account: one sees whom one blocks, to end it, and never who blocks one. */
export function maySeeAccount(viewerId: ViewerId, accountId: bigint, standing: Standing | undefined): boolean {
  if (standing === undefined) return false;
  if (viewerId === accountId) return standing.state !== AccountState.GONE;
  return standing.state === AccountState.ACTIVE && !standing.blockedBy;
}

/** Whether a viewer meets what an account says and does (posts, comments, likes): not across a block, either way. */
export const mayMeet = (viewerId: ViewerId, accountId: bigint, standing: Standing | undefined): boolean =>
  maySeeAccount(viewerId, accountId, standing) && standing?.blocking === false;

/** Whether a viewer may see whom an account follows and who follows it. */
export const maySeeFollows = (viewerId: ViewerId, accountId: bigint, standing: Standing | undefined): boolean =>
  mayMeet(viewerId, accountId, standing) &&
  (viewerId === accountId || standing?.isPrivate === false || standing?.following === true);

/** Refuses a write of somebody whose account is not open: PERMISSION_DENIED with the reason why. */
export function mayWrite(own: Pick<Standing, "state"> | undefined): void {
  if (own?.state === AccountState.ACTIVE) return;
  const state = stateNames.get(own?.state) ?? "gone";
  throw problem(Code.PermissionDenied, `account-${state}`, `your account is ${state}`);
}

const stateNames = new Map<number | undefined, string>([
  [AccountState.DEACTIVATED, "deactivated"],
  [AccountState.SUSPENDED, "suspended"],
]);

/** Whether a viewer may see a post, anywhere. */
export function maySeePost(viewerId: ViewerId, card: Card | undefined, standing: Standing | undefined): boolean {
  if (card === undefined || card.deleted || standing === undefined) return false;
  const { authorId, audience, mentionedIds } = card;
  if (!mayMeet(viewerId, authorId, standing)) return false;
  if (viewerId === authorId) return true;
  switch (audience) {
    case Audience.PUBLIC:
      return !standing.isPrivate || standing.following;
    case Audience.FOLLOWERS:
      return standing.following;
    case Audience.CLOSE_FRIENDS:
      return standing.closeFriendOf;
    case Audience.MENTIONED:
      return viewerId !== undefined && mentionedIds.includes(viewerId);
    default:
      return false;
  }
}

/** Whether somebody who may see a post may reply to it by what it said from the start: its author always may. */
export const mayReply = (viewerId: bigint, card: Card, standing: Standing | undefined): boolean =>
  settingRefusal(viewerId, card, standing) === ReplyRefusal.UNSPECIFIED;

/** Why somebody who may see a post may not reply to it; UNSPECIFIED where they may. Who is not signed in is told nothing. */
export function replyRefusal(
  viewerId: ViewerId,
  card: Card | undefined,
  standing: Standing | undefined,
  thread: ThreadRule,
): ReplyRefusal {
  if (viewerId === undefined || card === undefined) return ReplyRefusal.UNSPECIFIED;
  const replier = { isOwner: viewerId === card.authorId, isFollower: standing?.following === true };
  return settingRefusal(viewerId, card, standing) || threadRefusal(thread, replier);
}

function settingRefusal(viewerId: bigint, card: Card, standing: Standing | undefined): ReplyRefusal {
  if (viewerId === card.authorId) return ReplyRefusal.UNSPECIFIED;
  switch (card.replySetting) {
    case ReplySetting.UNSPECIFIED:
    case ReplySetting.EVERYONE:
      return ReplyRefusal.UNSPECIFIED;
    case ReplySetting.FOLLOWERS:
      return standing?.following === true ? ReplyRefusal.UNSPECIFIED : ReplyRefusal.FOLLOWERS;
    case ReplySetting.MENTIONED:
      return card.mentionedIds.includes(viewerId) ? ReplyRefusal.UNSPECIFIED : ReplyRefusal.MENTIONED;
    default:
      return ReplyRefusal.NOBODY;
  }
}

/** Whether a post that a viewer may see is shown in their home feed. */
export const isInHome = (viewerId: bigint, authorId: bigint, standing: Standing | undefined): boolean =>
  viewerId === authorId || (standing?.following === true && !standing.muting);
