import { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { invalid } from "#lib/mesh/errors.ts";
import { textOf } from "#lib/mesh/text.ts";
import { idOf } from "#lib/storage/id.ts";

/** A text: what a long read needs, in a row that stays small. */
const bounds = { graphemesMax: 5_000, bytesMax: 20_000 };
/** People one post names. */
const mentionsMax = 50;

export const postTextOf = (text: string): string => textOf(text, bounds);

const audiences = new Set<number>(Object.values(Audience));

/** For whom a post is: everybody where nothing is said. */
export function audienceOf(sent: Audience): Audience {
  if (!audiences.has(sent)) throw invalid("audience", "must be one of those named in the contract");
  return sent === Audience.UNSPECIFIED ? Audience.PUBLIC : sent;
}

/** Whom a post names: at most 50, nobody twice. Whether they are there is decided when it is read. */
export function mentionsOf(sent: readonly string[]): bigint[] {
  if (sent.length > mentionsMax) throw invalid("mentioned_user_ids", `must be at most ${mentionsMax}`);
  const ids = sent.map((id) => idOf(id, "mentioned_user_ids"));
  if (new Set(ids).size < ids.length) throw invalid("mentioned_user_ids", "must name nobody twice");
  return ids;
}
