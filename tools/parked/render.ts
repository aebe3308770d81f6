import { whole } from "../progress.ts";
import type { Contents } from "./contents.ts";
import type { ParkedEvent, ParkedStore } from "./store.ts";

/** Reasons are cut in tables; `show` has them whole. */
const reasonWidth = 60;

/** An event for scripts: ids are texts, times ISO 8601, and the payload stays where it is. */
export const asJson = ({ payload, parkTime, replayTime, id, version, actor, ...rest }: ParkedEvent) => ({
  ...rest,
  id: String(id),
  version: String(version),
  actor: String(actor),
  parkTime: parkTime.toISOString(),
  replayTime: replayTime?.toISOString() ?? null,
  bytes: payload.length,
});

/** A line an event. */
export function eventTable(events: readonly ParkedEvent[]): string {
  const header = ["parked", "consumer", "event", "type", "aggregate", "version", "reason"];
  const rows = events.map((event) => [
    timeOf(event.parkTime),
    event.service,
    String(event.id),
    event.type,
    event.aggregate,
    String(event.version),
    event.replayTime === undefined ? cut(event.reason) : `waits for its replay: ${cut(event.reason)}`,
  ]);
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  ");
  return [header, ...rows].map((row) => line(row).trimEnd()).join("\n");
}

export const countLines = (counts: Awaited<ReturnType<ParkedStore["counts"]>>): string[] =>
  counts.map(
    ({ service, type, reason, events, aggregates }) =>
      `${whole(events)} ${type} in ${whole(aggregates)} aggregates · ${service} · ${cut(reason)}`,
  );

export function eventLines(event: ParkedEvent, contents: Contents): string {
  const { service, stream, aggregate, id, version, type, reason, parkTime, replayTime, actor, traceId } = event;
  return [
    `${type} ${id} of ${aggregate}, version ${version}`,
    `  parked    ${timeOf(parkTime)} by ${service}, which hears ${stream}`,
    `  reason    ${reason}`,
    `  actor     ${actor === 0n ? "nobody" : actor}`,
    `  trace     ${/^0*$/.test(traceId) ? "none" : `npm run trace -- ${traceId}`}`,
    ...(replayTime === undefined ? [] : [`  replay    asked for at ${timeOf(replayTime)}`]),
    `  says      ${"message" in contents ? JSON.stringify(contents.message) : contents.unreadable}`,
  ].join("\n");
}

const timeOf = (time: Date): string => time.toISOString().slice(0, 23).replace("T", " ");

const cut = (reason: string): string => (reason.length > reasonWidth ? `${reason.slice(0, reasonWidth)}…` : reason);
