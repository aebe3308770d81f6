import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Event } from "./outbox.ts";

/** A fact whose payload is not of its type: no second try reads it, only a release that knows it. */
export class UndecodableError extends Error {
  constructor(type: string, cause: unknown) {
    super(`undecodable ${type}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    this.name = "UndecodableError";
  }
}

/** A fact's message. Consumers decode by this: what cannot be read is parked at once instead of being tried again. */
export function decode<D extends DescMessage>(desc: D, { payload }: Pick<Event, "payload">): MessageShape<D> {
  try {
    return fromBinary(desc, payload);
  } catch (cause) {
    throw new UndecodableError(desc.name, cause);
  }
}

const passing: readonly Code[] = [
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Canceled,
  Code.Aborted,
];

/** Whether waiting helps: something this depends on is away. */
export const isPassing = (reason: unknown): boolean => reason instanceof ConnectError && passing.includes(reason.code);
