import { Code, ConnectError } from "@connectrpc/connect";
import { type Leases, pause } from "#lib/events/lease.ts";
import { newTraceparent, onBehalfOf } from "#lib/mesh/call.ts";
import { isAway } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import { histogram } from "#lib/mesh/metrics.ts";
import type { Loop } from "#lib/mesh/run.ts";
import { isRepost } from "#lib/readmodel/card.ts";
import { mustBeOpen, type StandingReader } from "#lib/readmodel/standing.ts";
import { timeOf } from "#lib/storage/id.ts";
import { seeing } from "./handlers/seen.ts";
import type { PostReadModel } from "./read-model.ts";
import type { DraftStore } from "./store/draft.ts";

/** How late a scheduled post may be looked for: people schedule by the minute. */
const everyMs = 500;
/** Posts of one look; where more are due, the next look follows at once. */
const batchMax = 100;
/** Posts that are published at once. */
const atOnceMax = 8;
const stepMs = 2_000;
/** A post that cannot be published now is tried again so much later, and holds up no other meanwhile. */
const againMs = 30_000;

const lateSeconds = histogram({
  name: "skein_post_schedule_late_seconds",
  help: "From the moment a scheduled post is due to the moment it is public.",
});

type Due = Awaited<ReturnType<DraftStore["due"]>>[number];

type Needs = {
  readonly drafts: DraftStore;
  readonly readModel: Pick<PostReadModel, "show" | "load">;
  readonly standings: StandingReader;
  readonly leases: Leases;
  readonly nudge: () => void;
  readonly log: Log;
};

/**
 * Publishes what is due in the shards that this process holds. Leases only divide the work: that a post is published once is the
 * transaction's, which ends the draft. A process that dies before its commit leaves the post to the next holder, one that dies
 * after it leaves the read models to the relay.
 */
export function publishDue(needs: Needs): Loop {
  const { drafts, leases, log } = needs;
  return async (signal) => {
    while (!signal.aborted) {
      const due = await drafts.due([...leases.held()], new Date(), batchMax).catch((reason) => {
        log.warn("schedule", { error: reason });
        return [];
      });
      for (let at = 0; at < due.length && !signal.aborted; at += atOnceMax) {
        await Promise.all(due.slice(at, at + atOnceMax).map((one) => publishOne(needs, one)));
      }
      if (due.length < batchMax) await pause(everyMs, signal);
    }
  };
}

/** Never rejects: what fails is tried again, at once where a store was away. */
async function publishOne(needs: Needs, due: Due): Promise<void> {
  const { drafts, readModel, log } = needs;
  try {
    if (!(await isOpen(needs, due))) return;
    const origin = { actor: due.authorId, traceparent: newTraceparent() };
    const unseenId = await unseenBy(needs, due);
    const change = await drafts.publish(due, origin, { dueBy: new Date(), unseenId });
    if (change === undefined) return;
    needs.nudge();
    lateSeconds.observe(Math.max(0, (timeOf(change.postId) - due.dueTime.getTime()) / 1000));
    await readModel.show(change, true);
  } catch (reason) {
    log.warn("a scheduled post is not published", { draft: String(due.id), error: reason });
    if (isAway(reason)) return;
    await drafts.postpone(due, new Date(Date.now() + againMs)).catch(() => {});
  }
}

/** What a draft quotes and its author may not see any more: there is nobody to ask, so it is published with an empty slot. */
async function unseenBy(needs: Needs, due: Due): Promise<bigint | undefined> {
  const quotedId = (await needs.drafts.find(due))?.content?.quotedPostId ?? 0n;
  if (quotedId === 0n) return undefined;
  const { contextValues: values } = onBehalfOf(String(due.authorId), "post", stepMs);
  const post = values && (await seeing(needs).among([quotedId], { values })).get(quotedId);
  return post === undefined || isRepost(post) ? quotedId : undefined;
}

/** An account that is not open publishes nothing: its scheduled post is a draft again. */
async function isOpen({ drafts, standings }: Needs, due: Due): Promise<boolean> {
  const options = onBehalfOf(String(due.authorId), "post", stepMs);
  try {
    await mustBeOpen(standings, due.authorId, options);
    return true;
  } catch (reason) {
    if (!(reason instanceof ConnectError) || reason.code !== Code.PermissionDenied) throw reason;
    const origin = { actor: due.authorId, traceparent: newTraceparent() };
    await drafts.update(due, (draft) => ({ ...draft, publishTime: undefined }), origin);
    return false;
  }
}
