import { Audience, ReplySetting } from "#gen/skein/post/v1/post_pb.ts";
import { invalid } from "#lib/mesh/errors.ts";
import { textOf } from "#lib/mesh/text.ts";
import { idOf } from "#lib/storage/id.ts";
import { mentionsMax } from "../store/content.ts";

/** A text: what a long read needs, in a row that stays small. */
const bounds = { graphemesMax: 5_000, bytesMax: 20_000 };
/** Media of one post. */
export const mediaMax = 10;
/** A warning: a line or two above the text that it hides. */
const warningBounds = { graphemesMax: 300, bytesMax: 1_200 };
/** As long as a language tag is advised to be kept: RFC 5646, 4.4.1. */
const languageMax = 35;

export const postTextOf = (text: string): string => textOf(text, bounds);

/** What a reader is told before the text is shown; empty where there is nothing to warn of. */
export const warningOf = (text: string): string => (text === "" ? "" : textOf(text, warningBounds, "content_warning"));

/** A language tag (BCP 47) in its canonical form; empty where none was said. */
export function languageOf(sent: string): string {
  if (sent === "") return "";
  try {
    const [tag] = sent.length <= languageMax ? Intl.getCanonicalLocales(sent) : [];
    if (tag !== undefined && tag.length <= languageMax) return tag;
  } catch {
    // Not well-formed, which is told as what is too long is.
  }
  throw invalid("language", `must be a language tag of at most ${languageMax} characters`);
}

const { UNSPECIFIED, EVERYONE, FOLLOWERS, MENTIONED, NOBODY } = ReplySetting;
const replySettings = new Set<number>([UNSPECIFIED, EVERYONE, FOLLOWERS, MENTIONED, NOBODY]);

/** Who may reply: 0, which is kept nowhere, for everyone. */
export function replySettingOf(sent: ReplySetting): number {
  if (!replySettings.has(sent)) throw invalid("reply_setting", "must be one of those named in the contract");
  return sent === ReplySetting.EVERYONE ? 0 : sent;
}

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
