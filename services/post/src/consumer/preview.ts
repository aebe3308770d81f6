import { type CallOptions, type Client, Code, ConnectError } from "@connectrpc/connect";
import type { FetchPreviewResponse, MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { type Leases, pause } from "#lib/events/lease.ts";
import { newTraceparent, onBehalfOfNobody } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import { counter } from "#lib/mesh/metrics.ts";
import type { Loop } from "#lib/mesh/run.ts";
import type { PostReadModel } from "../read-model.ts";
import type { PreviewStore, PreviewTask } from "../store/preview.ts";

/** How late a post with a link may be looked for. */
const everyMs = 500;
/** Previews that are asked for at once: most of that is waiting, and a slow page holds up no other while there is room. */
const atOnceMax = 32;
const fetchMs = 20_000;
/** A task that was taken and not ended, because its process died, is anybody's again after this: longer than a fetch may take. */
const takenMs = 30_000;
/** How long to wait after each try that came to nothing, or to no picture, and may yet: five tries, over three hours. */
const againMs = [70_000, 600_000, 1_800_000, 7_200_000];
/** A task that was taken so often ended none of the ways that we know: it is given up. */
const takesMax = 50;

const previewsTotal = counter({
  name: "skein_post_previews_total",
  help: "Links of posts that were looked at for a preview, by what came of it: shown, none, again later, given up.",
  labels: ["outcome"],
});

type Needs = {
  readonly previews: PreviewStore;
  readonly media: Pick<Client<typeof MediaService>, "fetchPreview">;
  readonly readModel: Pick<PostReadModel, "applyLater">;
  readonly leases: Pick<Leases, "held">;
  readonly nudge: () => void;
  readonly log: Log;
};

/**
 * Gives posts the previews of their links, in the shards that this process holds. Leases only divide the work: each task is taken by one,
 * and a post gets a preview once, by the transaction that ends its task. A process that dies leaves the task to the next look.
 */
export function showPreviews(needs: Needs): Loop {
  const { previews, leases, log } = needs;
  const working = new Map<AbortController, Promise<void>>();
  return async (signal) => {
    while (!signal.aborted) {
      const room = atOnceMax - working.size;
      const due = room === 0 ? [] : await previews.due([...leases.held()], new Date(), room).catch(noneNow);
      for (const task of due) {
        const own = new AbortController();
        working.set(
          own,
          showOne(needs, task, own.signal).finally(() => working.delete(own)),
        );
      }
      await pause(everyMs, signal);
    }
    for (const own of working.keys()) own.abort();
    await Promise.all(working.values());
  };

  function noneNow(error: unknown): PreviewTask[] {
    log.warn("previews", { error });
    return [];
  }
}

/** Never rejects: what fails is tried again, and at last given up. */
async function showOne(needs: Needs, task: PreviewTask, signal: AbortSignal): Promise<void> {
  const { previews, log } = needs;
  try {
    if (!(await previews.take(task, new Date(Date.now() + takenMs)))) return;
    previewsTotal.labels(await outcomeOf(needs, task, signal)).inc();
  } catch (reason) {
    log.warn("a post waits for its preview", { post: String(task.postId), error: reason });
  }
}

async function outcomeOf(
  needs: Needs,
  task: PreviewTask,
  signal: AbortSignal,
): Promise<"shown" | "none" | "again" | "given up"> {
  const { previews, readModel, nudge } = needs;
  const url = task.tries < takesMax ? await previews.link(task.postId) : undefined;
  const traceparent = newTraceparent();
  const options = { ...onBehalfOfNobody("post", fetchMs, traceparent), signal };
  const found = url === undefined ? none : await askedFor(url, needs, options);
  const origin = { actor: 0n, traceparent };
  const change = found.preview && (await previews.show(task.postId, found.preview, origin));
  if (change !== undefined) {
    nudge();
    await readModel.applyLater([change]);
  }
  // Who stops asking leaves the task to the next at once. What is shown without its picture is asked for again, too.
  const waitMs = signal.aborted ? 0 : found.failure === "away" ? againMs[task.tries] : undefined;
  await (waitMs === undefined ? previews.end(task) : previews.again(task, new Date(Date.now() + waitMs)));
  if (change !== undefined) return "shown";
  if (waitMs !== undefined) return "again";
  return found.failure === "away" ? "given up" : "none";
}

const none: Pick<FetchPreviewResponse, "preview" | "failure"> = { failure: "" };

/** What media says; where it is away, or too busy, the page is as good as away. */
async function askedFor(url: string, { media, log }: Needs, options: CallOptions): Promise<typeof none> {
  try {
    return await media.fetchPreview({ url }, options);
  } catch (reason) {
    if (ConnectError.from(reason).code === Code.InvalidArgument) return { failure: "unusable" };
    log.warn("no preview", { error: reason });
    return { failure: "away" };
  }
}
