import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Person } from "./person.ts";

/** One thing somebody does, drawn by chance; `nth` says to which post or comment. */
export type Step = {
  readonly what:
    | "comment"
    | "reply"
    | "react"
    | "react to a comment"
    | "undo"
    | "undo on a comment"
    | "edit"
    | "delete"
    | "hide"
    | "show"
    | "save"
    | "unsave";
  readonly who: number;
  readonly nth: number;
  readonly kind: string;
};

/** A comment as the model has it: in the order in which they were said. */
type Said = {
  readonly id: string;
  readonly post: number;
  readonly parent: Said | undefined;
  readonly author: number;
  text: string;
  deleted: boolean;
  hidden: boolean;
};

/** How people react to something, by person. */
type Reactions = Map<number, string>;

type Shown = {
  readonly id: string;
  readonly text: string;
  readonly removed: boolean;
  readonly likeCount: number;
  readonly replyCount: number;
  readonly commentCount: number;
  readonly editTime?: string;
  readonly reactions?: Readonly<Record<string, number>>;
  readonly viewer?: { readonly reaction?: string; readonly saved?: boolean };
};

const depthMax = 10;

/** Two posts of two people, at which everybody does things; what is asked after a step carries its token. */
export async function openEngagement(edge: string, cast: readonly Person[]) {
  const posts = await Promise.all([0, 1].map((owner) => (cast[owner] as Person).post(`of ${owner}`)));
  const reactions = new Map<string, Reactions>();
  const saves: string[][] = cast.map(() => []);
  const said: Said[] = [];
  let token = "";

  /** Asks as somebody, or as nobody; a write leaves the token that reads carry from then on. */
  async function ask<T>(
    method: string,
    path: string,
    who?: number,
    body?: object,
  ): Promise<{ status: number; body: T }> {
    const headers = {
      ...(who !== undefined && { authorization: `Bearer ${cast[who]?.token}` }),
      ...(body !== undefined && { "content-type": "application/json", "idempotency-key": randomUUID() }),
      ...(token !== "" && { "consistency-token": token }),
    };
    const sent = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const answer = await fetch(`${edge}${path}`, sent);
    if (method !== "GET") token = answer.headers.get("consistency-token") ?? token;
    return { status: answer.status, body: (await answer.json()) as T };
  }
  async function fine<T>(...of: Parameters<typeof ask>): Promise<T> {
    const { status, body } = await ask<T>(...of);
    assert.ok(status < 300, `${of[0]} ${of[1]}: ${status} ${JSON.stringify(body)}`);
    return body;
  }
  async function all<T>(path: string, name: string, who?: number): Promise<T[]> {
    const found: T[] = [];
    for (let pageToken = ""; ; ) {
      const of = `${path}${path.includes("?") ? "&" : "?"}pageSize=3${pageToken === "" ? "" : `&pageToken=${pageToken}`}`;
      const page = await fine<Record<string, T[]> & { nextPageToken: string }>("GET", of, who);
      found.push(...(page[name] ?? []));
      pageToken = page.nextPageToken as string;
      if (pageToken === "") return found;
    }
  }

  const postAt = (nth: number) => nth % posts.length;
  const pathOf = (post: number) => `/v1/posts/${posts[post]?.id}`;
  const reactionsOf = (path: string): Reactions => {
    const known = reactions.get(path) ?? new Map<number, string>();
    reactions.set(path, known);
    return known;
  };
  const children = (of: Said | undefined, post: number) => said.filter((one) => one.post === post && one.parent === of);
  const present = (one: Said): boolean => !one.deleted || children(one, one.post).some(present);
  const isCounted = (one: Said) => !one.deleted && !one.hidden;
  const standsFor = (one: Said, who: number) => !one.deleted && (!one.hidden || who === one.author || who === one.post);
  const depthOf = (one: Said): number => (one.parent === undefined ? 0 : 1 + depthOf(one.parent));

  async function take({ what, who, nth, kind }: Step): Promise<void> {
    const post = postAt(nth);
    const standing = said.filter((one) => one.post === post && standsFor(one, who));
    const one = standing[nth % Math.max(1, standing.length)];
    const path = `/v1/comments/${one?.id}`;
    const on = what.endsWith("a comment") ? path : pathOf(post);
    if (one === undefined && (what.endsWith("comment") || ["reply", "edit", "delete", "hide", "show"].includes(what))) {
      if (what !== "comment") return;
    }
    switch (what) {
      case "comment":
      case "reply": {
        const target = what === "reply" ? one : undefined;
        const text = `${what} ${said.length}`;
        const made = await fine<{ id: string }>("POST", `${pathOf(post)}/comments`, who, {
          text,
          ...(target && { parent: target.id }),
        });
        const parent = target !== undefined && depthOf(target) === depthMax ? target.parent : target;
        said.push({ id: made.id, post, parent, author: who, text, deleted: false, hidden: false });
        break;
      }
      case "react":
      case "react to a comment":
        await fine("PUT", `${on}/reaction`, who, { kind: `REACTION_KIND_${kind}` });
        reactionsOf(on).set(who, kind);
        break;
      case "undo":
      case "undo on a comment":
        await fine("DELETE", `${on}/reaction`, who);
        reactionsOf(on).delete(who);
        break;
      case "edit":
        if (one?.author !== who) return;
        one.text = `edited ${nth} ${kind}`;
        await fine("PATCH", path, who, { text: one.text });
        break;
      case "delete":
        if (one === undefined || (one.author !== who && one.post !== who)) return;
        await fine("DELETE", path, who);
        one.deleted = true;
        break;
      case "hide":
      case "show":
        if (one === undefined || one.post !== who) return;
        await fine(what === "hide" ? "PUT" : "DELETE", `${path}/hidden`, who);
        one.hidden = what === "hide";
        break;
      case "save":
      case "unsave": {
        const kept = saves[who] as string[];
        const id = posts[post]?.id as string;
        const before = kept.indexOf(id);
        await fine(what === "save" ? "PUT" : "DELETE", `${pathOf(post)}/save`, who, ...(what === "save" ? [{}] : []));
        if (what === "save" && before < 0) kept.unshift(id);
        if (what === "unsave" && before >= 0) kept.splice(before, 1);
        break;
      }
    }
    await assertPost(post, who);
    if (on === path && one !== undefined && standsFor(one, who)) await assertReactions(path, who);
  }

  /** Counts by kind are the lists by kind, and both are the model's; so is the viewer's own. */
  async function assertReactions(path: string, who: number): Promise<Shown> {
    const shown = await fine<Shown>("GET", path, who);
    const due = reactionsOf(path);
    const listed = await all<{ user: { id: string }; reaction: string }>(`${path}/reactions`, "reactors", who);
    const names = listed.map(({ user, reaction }) => `${user.id} ${reaction}`);
    assert.deepEqual(
      names.toSorted(),
      [...due].map(([by, kind]) => `${cast[by]?.id} REACTION_KIND_${kind}`).toSorted(),
    );
    const count = (kind: string) => [...due.values()].filter((one) => one === kind).length;
    assert.equal(shown.likeCount, count("LIKE"));
    const others = ["LOVE", "ANGRY"].map(count);
    const counted = [shown.reactions?.love ?? 0, shown.reactions?.angry ?? 0];
    assert.deepEqual(counted, others, `counts of ${path}`);
    assert.equal(shown.reactions === undefined, count("LOVE") + count("ANGRY") === 0);
    assert.equal(shown.viewer?.reaction, due.has(who) ? `REACTION_KIND_${due.get(who)}` : undefined);
    return shown;
  }

  async function assertPost(post: number, who: number): Promise<void> {
    const shown = await assertReactions(pathOf(post), who);
    assert.equal(shown.commentCount, said.filter((one) => one.post === post && isCounted(one)).length);
    assert.equal(shown.viewer?.saved === true, saves[who]?.includes(shown.id));
    await assertLevel(undefined, post, who);
  }

  /** A level of the tree, and all below it, as somebody sees it. */
  async function assertLevel(parent: Said | undefined, post: number, who: number): Promise<void> {
    const path = parent === undefined ? `${pathOf(post)}/comments` : `/v1/comments/${parent.id}/replies`;
    const shown = await all<Shown>(path, "comments", who);
    const due = children(parent, post)
      .filter((one) => standsFor(one, who) || (one.deleted ? present(one) : children(one, post).some(present)))
      .toReversed();
    const named = due.map((one) => (standsFor(one, who) ? `${one.id} ${one.text}` : `${one.id} `));
    assert.deepEqual(
      shown.map(({ id, text }) => `${id} ${text}`),
      named,
    );
    for (const [nth, one] of due.entries()) {
      const replies = children(one, post).filter(isCounted).length;
      assert.deepEqual([shown[nth]?.replyCount, shown[nth]?.removed], [replies, !standsFor(one, who)]);
      assert.equal(shown[nth]?.editTime !== undefined, standsFor(one, who) && one.text.startsWith("edited"));
      if (children(one, post).length > 0 && present(one)) await assertLevel(one, post, who);
    }
  }

  return {
    take,

    /** What everybody did, as their own lists have it. */
    async assertActivity(): Promise<void> {
      for (const who of cast.keys()) {
        const ids = async (path: string, name = "posts") => (await all<Shown>(path, name, who)).map(({ id }) => id);
        assert.deepEqual(await ids("/v1/me/saves"), saves[who]);
        const own = said.filter((one) => one.author === who && !one.deleted).map(({ id }) => id);
        assert.deepEqual(await ids("/v1/me/activity/comments", "comments"), own.toReversed());
        const reacted = posts.filter(({ id }) => reactions.get(`/v1/posts/${id}`)?.has(who)).map(({ id }) => id);
        assert.deepEqual((await ids("/v1/me/activity/reactions")).toSorted(), reacted.toSorted());
      }
    },
  };
}
