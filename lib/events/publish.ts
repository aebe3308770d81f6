import { createInbox, type Msg, MsgHdrsImpl, type NatsConnection } from "nats";
import { unavailable } from "#lib/mesh/errors.ts";
import type { Event } from "./outbox.ts";

/** A stream that does not say within this time that it has a fact is away. */
const ackMs = 5_000;

export type Ack = { readonly sequence: bigint; readonly duplicate: boolean };

/**
 * Publishes facts by one connection, and answers when the stream has each. The driver's own way makes an error with a stack for each
 * PubAck, and looks at each header nine times: three times the CPU.
 */
export function publisher(connection: NatsConnection) {
  const inbox = createInbox();
  const waiting = new Map<string, (answer: Msg | Error) => void>();
  let told = 0;
  connection.subscribe(`${inbox}.*`, {
    callback: (err, message) => waiting.get(message.subject.slice(inbox.length + 1))?.(err ?? message),
  });

  return (subject: string, event: Event, incarnation: number): Promise<Ack> =>
    new Promise((resolve, reject) => {
      const nth = String(told++);
      const settle = (answer: Msg | Error): void => {
        clearTimeout(timer);
        waiting.delete(nth);
        try {
          resolve(ackOf(answer));
        } catch (reason) {
          reject(unavailable("nats", reason));
        }
      };
      const timer = setTimeout(() => settle(new Error(`no PubAck within ${ackMs} ms`)), ackMs);
      waiting.set(nth, settle);
      try {
        connection.publish(subject, event.payload, {
          reply: `${inbox}.${nth}`,
          headers: headersOf(event, incarnation),
        });
      } catch (reason) {
        settle(reason as Error); // The connection is closed for good.
      }
    });
}

/** The id makes a repeat within two minutes harmless. */
const headersOf = ({ id, aggregate, version, actor, position, traceparent }: Event, incarnation: number) =>
  MsgHdrsImpl.fromRecord({
    "Skein-Aggregate": [aggregate],
    "Skein-Version": [String(version)],
    "Skein-Actor": [String(actor)],
    "Skein-Position": [String(position)],
    "Skein-Incarnation": [String(incarnation)],
    traceparent: [traceparent],
    "Nats-Msg-Id": [`${id}.${incarnation}`],
  });

/** A PubAck: https://docs.nats.io/reference/reference-protocols/nats_api_reference#publishing. Nothing is said where no stream hears. */
function ackOf(answer: Msg | Error): Ack {
  if (answer instanceof Error) throw answer;
  const text = answer.string();
  if (text === "") throw new Error("no stream hears this subject");
  const {
    seq,
    duplicate = false,
    error,
  } = JSON.parse(text) as {
    seq?: number;
    duplicate?: boolean;
    error?: { description?: string };
  };
  if (seq === undefined) throw new Error(error?.description ?? "a PubAck without a sequence");
  return { sequence: BigInt(seq), duplicate };
}
