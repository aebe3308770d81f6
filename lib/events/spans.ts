import { Code, ConnectError } from "@connectrpc/connect";
import { type Attributes, SpanKind } from "@opentelemetry/api";
import { newTraceparent } from "#lib/mesh/call.ts";
import { begin, type Work } from "#lib/mesh/trace.ts";
import type { Event } from "./outbox.ts";

/** Traced facts of one batch that get a span; the rest of a burst is told by their links. */
const spansMax = 64;

const kinds = { hear: SpanKind.CONSUMER, project: SpanKind.INTERNAL } as const;

/** What a span tells of a fact: which, and of what; nothing of what it says. */
const attributesOf = ({ id, type, aggregate, version, shard }: Event): Attributes => ({
  "messaging.system": "nats",
  "messaging.message.id": String(id),
  "skein.event": type,
  "skein.aggregate": aggregate,
  "skein.version": String(version),
  "skein.shard": shard,
});

/**
 * Runs what a batch of facts causes, in a span for each fact that is traced, below whoever told it. The steps of the batch
 * (one transaction for all) are below the first one's, to which the others link: a batch has no single parent
 * (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/). `work` gets the facts with the trace context
 * to go on with. Where it fails the first fact's span is kept, traced or not.
 */
export async function together<E extends Event, T>(
  verb: "hear" | "project",
  events: readonly E[],
  work: (events: readonly E[]) => Promise<T>,
): Promise<T> {
  const [first] = events;
  if (first === undefined) return await work(events);
  const spans = new Map<E, Work>();
  for (const event of events) {
    const isTraced = event.traceparent.endsWith("1");
    if ((isTraced || event === first) && spans.size < spansMax) {
      spans.set(event, begin(`${verb} ${event.type}`, kinds[verb], cameOf(event), attributesOf(event)));
    }
  }
  const all = [...spans.values()];
  const lead = all.find(({ isSampled }) => isSampled) ?? all[0];
  for (const each of all) if (lead !== undefined && each !== lead && each.isSampled) each.link(lead);
  const going = events.map((event) => withSpan(event, spans.get(event)));
  try {
    return await (lead === undefined ? work(going) : lead.run(() => work(going)));
  } catch (reason) {
    for (const each of all) each.fail(ConnectError.from(reason, Code.Internal).code);
    throw reason;
  } finally {
    for (const each of all) each.end();
  }
}

/** Hands a fact over in a span of its own, if it is traced; the span's context travels with it. */
export async function handOver<E extends Event, T>(event: E, send: (event: E) => Promise<T>): Promise<T> {
  if (!event.traceparent.endsWith("1")) return await send(event);
  const span = begin(`tell ${event.type}`, SpanKind.PRODUCER, cameOf(event), attributesOf(event));
  try {
    return await send(withSpan(event, span));
  } catch (reason) {
    span.fail(ConnectError.from(reason, Code.Unavailable).code);
    throw reason;
  } finally {
    span.end();
  }
}

const withSpan = <E extends Event>(event: E, span: Work | undefined): E =>
  span?.isSampled === true ? { ...event, traceparent: span.traceparent } : event;

/** What the system says by itself has no trace: an error with it is a trace of its own. */
const cameOf = ({ traceparent }: Event) => ({ traceparent: traceparent === "" ? newTraceparent() : traceparent });
