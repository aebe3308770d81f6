import { create } from "@bufbuild/protobuf";
import type { CallOptions, Client } from "@connectrpc/connect";
import { type Facets, FacetsSchema } from "#gen/skein/text/v1/text_pb.ts";
import type { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { facetsIn } from "./facets.ts";

/**
 * What stands in a text; undefined where nothing does. Names are looked up with the writer's eyes, in one call, so that a
 * mention tells of nobody whom the writer cannot find; without `users` no name is. Rejects where the user service is away.
 */
export async function facetsOf(
  text: string,
  users?: Pick<Client<typeof UserService>, "batchFindUsers">,
  options?: CallOptions,
): Promise<Facets | undefined> {
  const { mentions, hashtags, links } = facetsIn(text);
  const usernames = users === undefined ? [] : [...new Set(mentions.map(({ username }) => username))];
  const userIds = usernames.length === 0 ? [] : (await users?.batchFindUsers({ usernames }, options))?.userIds;
  const idOf = new Map(usernames.map((name, nth) => [name, userIds?.[nth] ?? 0n]));
  const found = mentions.flatMap(({ range, username }) => {
    const userId = idOf.get(username) ?? 0n;
    return userId === 0n ? [] : [{ range, userId }];
  });
  if (found.length + hashtags.length + links.length === 0) return undefined;
  return create(FacetsSchema, { mentions: found, hashtags: [...hashtags], links: [...links] });
}
