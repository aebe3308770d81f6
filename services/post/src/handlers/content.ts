import { create } from "@bufbuild/protobuf";
import type { CallOptions, Client } from "@connectrpc/connect";
import type { Media } from "#gen/skein/media/v1/media_pb.ts";
import { type PostContent, PostContentSchema } from "#gen/skein/post/v1/content_pb.ts";
import type { Facets } from "#gen/skein/text/v1/text_pb.ts";
import type { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { facetsIn } from "#lib/mesh/facets.ts";
import { languageOf, warningOf } from "./rules.ts";

type Users = Pick<Client<typeof UserService>, "batchFindUsers">;
type Beside = { readonly contentWarning: string; readonly language: string; readonly quotedPostId?: bigint };

/** What stands beside a text, as it is kept; undefined where there is nothing. */
export function contentOf(
  facets: Facets | undefined,
  beside: Beside,
  media: readonly Media[] = [],
): PostContent | undefined {
  const [contentWarning, language] = [warningOf(beside.contentWarning), languageOf(beside.language)];
  const { quotedPostId = 0n } = beside;
  const isPlain = contentWarning === "" && language === "" && quotedPostId === 0n && media.length === 0;
  if (facets === undefined && isPlain) return undefined;
  const said = { contentWarning, language, quotedPostId, media: [...media] };
  return create(PostContentSchema, { ...said, ...(facets && { facets }) });
}

/**
 * What stands in a text; undefined where nothing does. Names are looked up with the writer's eyes, in one call, so that a
 * mention tells of nobody whom the writer cannot find; without `users` no name is. Rejects where the user service is away.
 */
export async function facetsOf(text: string, users?: Users, options?: CallOptions): Promise<Facets | undefined> {
  const { mentions, hashtags, links } = facetsIn(text);
  const usernames = users === undefined ? [] : [...new Set(mentions.map(({ username }) => username))];
  const userIds = usernames.length === 0 ? [] : (await users?.batchFindUsers({ usernames }, options))?.userIds;
  const idOf = new Map(usernames.map((name, nth) => [name, userIds?.[nth] ?? 0n]));
  const found = mentions.flatMap(({ range, username }) => {
    const userId = idOf.get(username) ?? 0n;
    return userId === 0n ? [] : [{ range, userId }];
  });
  if (found.length + hashtags.length + links.length === 0) return undefined;
  return create(PostContentSchema, {
    facets: { mentions: found, hashtags: [...hashtags], links: [...links] },
  }).facets;
}
