import { ReplyRefusal } from "#gen/skein/comment/v1/comment_pb.ts";
import { Repliers } from "#gen/skein/comment/v1/thread_pb.ts";
import type { Count } from "./count.ts";

/** Who may comment on a post, as its author says at any time: comment's Thread. */
export type ThreadRule = { readonly locked: boolean; readonly repliers: Repliers };

/** Who would comment: whether the post is theirs, and whether they follow whose it is. */
export type Replier = { readonly isOwner: boolean; readonly isFollower: boolean };

export const openThread: ThreadRule = { locked: false, repliers: Repliers.EVERYONE };

/** Why a thread lets somebody not comment; UNSPECIFIED where it does. A thread that is locked is so for everybody. */
export function threadRefusal({ locked, repliers }: ThreadRule, { isOwner, isFollower }: Replier): ReplyRefusal {
  if (locked) return ReplyRefusal.LOCKED;
  if (isOwner || repliers === Repliers.EVERYONE || repliers === Repliers.UNSPECIFIED) return ReplyRefusal.UNSPECIFIED;
  if (repliers !== Repliers.FOLLOWERS) return ReplyRefusal.NOBODY;
  return isFollower ? ReplyRefusal.UNSPECIFIED : ReplyRefusal.FOLLOWERS;
}

/** What a count of comments says beside it, in the place of further kinds: whether the thread is locked, and who may reply. */
const kindOf = { locked: 1, repliers: 2 } as const;

/** A thread as it stands beside the count; undefined where it is open, as most are. */
export function besideCount({ locked, repliers }: ThreadRule): Count["others"] {
  const isLimited = repliers !== Repliers.EVERYONE && repliers !== Repliers.UNSPECIFIED;
  if (!locked && !isLimited) return undefined;
  return new Map([
    [kindOf.locked, Number(locked)],
    [kindOf.repliers, isLimited ? repliers : 0],
  ]);
}

/** The thread beside a count of comments. */
export const threadBeside = ({ others }: Count): ThreadRule =>
  others === undefined
    ? openThread
    : {
        locked: others.get(kindOf.locked) === 1,
        repliers: (others.get(kindOf.repliers) as Repliers | undefined) ?? Repliers.EVERYONE,
      };
