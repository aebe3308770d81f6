import { PostCreatedSchema } from "#gen/skein/post/v1/events_pb.ts";
import type { Event } from "#lib/events/outbox.ts";
import { decode } from "#lib/events/poison.ts";
import { timeOf } from "#lib/storage/id.ts";
import type { Sql } from "#lib/storage/mysql.ts";
import type { Fanout } from "./consumer/fanout.ts";
import { type FanoutTask, type FeedStore, newTask } from "./store.ts";

/**
 * What feed hears of posts. Stage 1, in order and short: a durable task for each activity, in the transaction that keeps
 * the place. Stage 2 begins when that is committed. Cards and authors' timelines are the post service's own work.
 */
export function hearPosts({ store, fanout }: { store: FeedStore; fanout: Fanout }) {
  return {
    apply: (tx: Sql, events: readonly Event[]): Promise<void> => store.addTasks(tx, events.flatMap(tasksOf)),
    applied: (events: readonly Event[]): void => fanout.begin(events.flatMap(tasksOf)),
  };
}

function tasksOf(event: Event): FanoutTask[] {
  const { id, type, traceparent } = event;
  if (type !== PostCreatedSchema.name) return [];
  const { activityId, authorId } = decode(PostCreatedSchema, event);
  const activity = { activityId: BigInt(activityId), authorId: BigInt(authorId) };
  return [{ ...newTask(activity), traceparent, publicMs: timeOf(id) }];
}
