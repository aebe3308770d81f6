import sharp from "sharp";
import { createSkein, MediaKind } from "../../sdk/index.ts";
import { createLanes } from "../../tools/operator.ts";
import type { Person } from "./crowd.ts";
import type { System } from "./system.ts";
import type { Town } from "./town.ts";
import { flush } from "./trouble.ts";

/** Of a thousand people, each of whom follows a hundred: ten of those whom one follows write what fills more than a page. */
const authorsShare = 0.1;
const callsAtOnce = 4;
const words = "walks on the harbour wall with";

/**
 * Has some people post photos, quotes, and texts with names, tags and links, so that everybody's first page is of those. What it
 * answers takes them away again.
 */
export async function dress(system: System, { people, authors, posts }: Town): Promise<() => Promise<void>> {
  const { edge } = system.instance;
  const tokens = new Map(people.map((person) => [person.id, person]));
  const chosen = authors.slice(0, Math.ceil(authors.length * authorsShare)).map((id) => tokens.get(id) as Person);
  const photo = await sharp({ create: { width: 640, height: 480, channels: 3, background: "#3a6ea5" } })
    .jpeg()
    .toBuffer();
  const bytes = new Uint8Array(photo);
  const removals: (() => Promise<unknown>)[] = [];
  const lanes = createLanes(callsAtOnce);
  for (const [nth, { token }] of chosen.entries()) {
    await lanes.run(async () => {
      const { posts: own, upload } = createSkein({ baseUrl: edge, token });
      const { id } = await upload({ kind: MediaKind.PHOTO, bytes, alt: "blue" });
      // A third of the posts each: a photo, a quote, and a text with a name, a tag and a link.
      const dressings = [
        { text: `${words} a camera`, mediaIds: [id] },
        { text: `${words} a friend`, quotedPostId: posts[nth] as string },
        { text: `${words} @town_${nth} and #friends, see https://example.org/walks/${nth}` },
      ];
      for (const said of dressings) {
        const { post } = await own.createPost(said);
        removals.push(() => own.deletePost({ post: post?.id ?? "" }));
      }
    });
  }
  await lanes.drain();
  return async () => {
    for (const remove of removals) await lanes.run(async () => void (await remove()));
    await lanes.drain();
    // Timelines are made anew without them: what was deleted would lie at the top of each.
    await flush(system);
  };
}
