import { Code } from "@connectrpc/connect";
import { Kind } from "#gen/skein/media/v1/media_pb.ts";
import { invalid, problem } from "#lib/mesh/errors.ts";
import { textOf } from "#lib/mesh/text.ts";
import { idOf } from "#lib/storage/id.ts";

const mib = 1024 * 1024;

/** Bytes of one upload. */
const bytesMax: Readonly<Partial<Record<Kind, number>>> = {
  [Kind.PHOTO]: 10 * mib,
  [Kind.VIDEO]: 40 * mib,
  [Kind.REEL]: 40 * mib,
  [Kind.VOICE]: 10 * mib,
  [Kind.AUDIO]: 20 * mib,
  [Kind.FILE]: 50 * mib,
};
/** What is said to those who do not see it. */
const altBounds = { graphemesMax: 1_000, bytesMax: 4_000 };
/** Media of one thing. */
const attachedMax = 10;
const attachmentForm = /^[\x21-\x7e]{1,64}$/;

export function kindOf(sent: Kind): Kind {
  if (bytesMax[sent] === undefined) throw invalid("kind", "must be one of those named in the contract");
  return sent;
}

/** The size of an upload of a kind. */
export function sizeOf(sent: bigint, kind: Kind): number {
  const max = bytesMax[kind] ?? 0;
  if (sent < 1n) throw invalid("size_bytes", "must be at least 1");
  if (sent > BigInt(max)) {
    const rule = `must be at most ${max} for its kind`;
    throw problem(Code.ResourceExhausted, "payload-too-large", `size_bytes ${rule}`, [{ field: "size_bytes", rule }]);
  }
  return Number(sent);
}

export const altOf = (sent: string): string => (sent === "" ? "" : textOf(sent, altBounds, "alt"));

/** 1 to 10 ids, none twice. */
export function mediaIdsOf(sent: readonly string[]): bigint[] {
  if (sent.length < 1 || sent.length > attachedMax) throw invalid("media_ids", `must be 1 to ${attachedMax}`);
  const ids = sent.map((id) => idOf(id, "media_ids"));
  if (new Set(ids).size < ids.length) throw invalid("media_ids", "must name nothing twice");
  return ids;
}

export function attachmentOf(sent: string): string {
  if (!attachmentForm.test(sent)) throw invalid("attachment", "must be 1 to 64 visible ASCII characters");
  return sent;
}
