import { ask, type Person } from "../../../tests/support/person.ts";
import type { Entry } from "../journal.ts";
import { isServed } from "../photo.ts";
import { titleOf } from "../site.ts";
import { onceRight, type Seen } from "./once.ts";
import type { Finding, Truth } from "./truth.ts";

type Posted = Extract<Entry, { what: "post" }>;

type Needs = { readonly door: string; readonly people: readonly Person[]; readonly truth: Truth };

/** Looks at what posts show beside their words, through a front door: photos, and the previews of links. */
export function shownChecker({ door, people, truth }: Needs) {
  const photosOf = onceRight<Posted>(async ({ id, photo }) =>
    (await isServed(`${door}${photo}`))
      ? "right"
      : { kind: "lost", text: `the photo of post ${id} was acknowledged and is not there` },
  );
  const previewsOf = onceRight<Posted>(previewOf);

  /** An edit has another text, without the link. */
  async function previewOf({ id, author, link = "" }: Posted): Promise<Seen> {
    const token = people.find((person) => person.id === author)?.token ?? "";
    const { status, body } = await ask<Shown>(door, "GET", `/v1/posts/${id}`, { token });
    if (status !== 200) return { kind: "stale", text: `post ${id} is answered with ${status}` };
    if (!body.text.includes(link)) return "right";
    const { url, title } = body.linkPreview ?? {};
    if (url === link && title === titleOf(link)) return "right";
    if (body.linkPreview !== undefined) return { kind: "lost", text: `post ${id} has the preview of another page` };
    const [task] = await truth.post.query(
      "SELECT due_time <= NOW(3) AS due FROM preview_task WHERE post_id = ?", // PRIMARY
      [id],
    );
    if (task === undefined) return { kind: "lost", text: `the link of post ${id} has no preview, and gets none` };
    // Who took it and died, or found media away, leaves it to somebody half a minute, or a minute, later.
    return Number(task.due) === 1 ? { kind: "stale", text: `the link of post ${id} has no preview yet` } : "for now";
  }

  return async (journal: readonly Entry[]): Promise<Finding[]> => {
    const deleted = new Set(journal.flatMap((entry) => (entry.what === "delete" ? [entry.id] : [])));
    const posts = journal.filter((entry): entry is Posted => entry.what === "post" && !deleted.has(entry.id));
    return [
      ...(await photosOf(posts.filter(({ photo }) => photo !== undefined))),
      ...(await previewsOf(posts.filter(({ link }) => link !== undefined))),
    ];
  };
}

type Shown = { readonly text: string; readonly linkPreview?: { readonly url: string; readonly title: string } };
