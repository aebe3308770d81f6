import { randomUUID } from "node:crypto";
import type { Oracle } from "../../tools/oracle.ts";
import { type Answer, ask, type Person, register, type ShownPost } from "./person.ts";

/** What a run of `hotRows` found. Everything but the numbers must be empty. */
export type HotRows = {
  readonly operations: number;
  readonly stateReads: number;
  /** Requests sent again because a machine that stalls refused them, or was out of time, or at work on the first one. */
  readonly repeated: number;
  /** Answers that were no success, however often the request was sent. */
  readonly errors: readonly string[];
  /** Reads in which a viewer's own state was not what they had just made it. */
  readonly wrongStates: readonly string[];
  /** Counts that are not their rows once everything is folded. */
  readonly wrongCounts: readonly string[];
};

type Options = {
  readonly edge: string;
  readonly oracle: Oracle;
  readonly workers: number;
  readonly operationsEach: number;
  /** Posts, and authors, that everyone works on. */
  readonly rows: number;
  readonly told?: (done: number) => void;
};

/** After so many operations of a worker their own state is read back. */
const readEach = 5;
/** What is asked again, the same to the letter: every request here is idempotent by key or by state. */
const askAgain: readonly number[] = [409, 503, 504];
const repeatsMax = 5;
/** Before the first repeat; before the n-th, n times as long. */
const pauseMs = 200;
/** How long folding may take after the last answer. */
const countedMs = 30_000;

/** Many people like, unlike, follow, unfollow, comment and uncomment on few posts and authors, as fast as they can. */
export async function hotRows(options: Options): Promise<HotRows> {
  const { edge, workers, operationsEach, rows, told = () => {} } = options;
  const authors = await Promise.all(Array.from({ length: rows }, () => register(edge)));
  const posts = await Promise.all(authors.map((author, nth) => author.post(`hot row ${nth}`)));
  const viewers = await Promise.all(Array.from({ length: workers }, () => register(edge)));
  const errors: string[] = [];
  const wrongStates: string[] = [];
  let operations = 0;
  let stateReads = 0;
  let repeated = 0;

  const call = async <T>(viewer: Person, method: string, path: string, more: { body?: unknown; key?: string } = {}) => {
    const { answer, repeats } = await insist<T>(edge, method, path, { token: viewer.token, ...more });
    repeated += repeats;
    if (answer.status === 0 || answer.status >= 300) {
      errors.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer;
  };

  const work = async (viewer: Person) => {
    const liked = new Set<number>();
    const followed = new Set<number>();
    const comments: string[] = [];
    const pick = () => Math.floor(Math.random() * rows);
    const toggle = (set: Set<number>, row: number) => {
      if (set.delete(row)) return "DELETE";
      set.add(row);
      return "PUT";
    };

    const readBack = async (row: number) => {
      stateReads++;
      const author = authors[row] as Person;
      const [list, profile] = await Promise.all([
        call<{ posts: ShownPost[] }>(viewer, "GET", `/v1/users/${author.id}/posts`),
        call<{ viewer: { following: boolean } }>(viewer, "GET", `/v1/users/${author.id}`),
      ]);
      const found = [list.body.posts?.[0]?.viewer?.liked, profile.body.viewer?.following];
      const right = [liked.has(row), followed.has(row)];
      if (String(found) !== String(right)) wrongStates.push(`${viewer.username} row ${row}: ${found} for ${right}`);
    };

    for (let nth = 0; nth < operationsEach; nth++) {
      const row = pick();
      const post = (posts[row] as ShownPost).id;
      const dice = Math.random();
      if (dice < 0.4) await call(viewer, toggle(liked, row), `/v1/posts/${post}/like`);
      else if (dice < 0.7) await call(viewer, toggle(followed, row), `/v1/users/${(authors[row] as Person).id}/follow`);
      else if (dice < 0.9 || comments.length === 0) {
        const more = { body: { text: `comment ${nth}` }, key: randomUUID() };
        const { body } = await call<{ id: string }>(viewer, "POST", `/v1/posts/${post}/comments`, more);
        comments.push(body.id);
      } else await call(viewer, "DELETE", `/v1/comments/${comments.pop()}`);
      if (nth % readEach === 0) await readBack(row);
      told(++operations);
    }
  };
  await Promise.all(viewers.map(work));
  const wrongCounts = await countsOnceFolded(options, authors, posts, viewers);
  return { operations, stateReads, repeated, errors, wrongStates, wrongCounts };
}

/** The same request again while it is refused for now; `status` 0 is one that was not answered. */
async function insist<T>(...of: Parameters<typeof ask>): Promise<{ answer: Answer<T>; repeats: number }> {
  for (let repeats = 0; ; repeats++) {
    const answer = await ask<T>(...of).catch(
      (reason): Answer<T> => ({ status: 0, headers: new Headers(), body: String(reason) as T }),
    );
    if (repeats === repeatsMax || !askAgain.includes(answer.status)) return { answer, repeats };
    await new Promise((soon) => setTimeout(soon, (repeats + 1) * pauseMs));
  }
}

/** Waits until counts are their rows; answers those that never became so. */
async function countsOnceFolded(
  { edge, oracle }: Options,
  authors: readonly Person[],
  posts: readonly ShownPost[],
  viewers: readonly Person[],
): Promise<string[]> {
  const end = Date.now() + countedMs;
  for (;;) {
    const wrong: string[] = [];
    const truth = await oracle.counts(posts.map(({ id }) => BigInt(id)));
    for (const [nth, author] of authors.entries()) {
      const [id, likes, comments] = truth[nth] as [string, number, number];
      const { body: one } = await ask<ShownPost>(edge, "GET", `/v1/posts/${id}`);
      const { body: list } = await ask<{ posts: ShownPost[] }>(edge, "GET", `/v1/users/${author.id}/posts`);
      const { body: user } = await ask<{ followerCount: number }>(edge, "GET", `/v1/users/${author.id}`);
      const listed = list.posts?.[0];
      const followers = await oracle.followers(BigInt(author.id));
      const found = [one.likeCount, one.commentCount, listed?.likeCount, listed?.commentCount, user.followerCount];
      const right = [likes, comments, likes, comments, followers];
      if (String(found) !== String(right)) wrong.push(`post ${id}: ${found} for ${right}`);
    }
    for (const viewer of viewers) {
      const { body } = await ask<{ followingCount: number }>(edge, "GET", `/v1/users/${viewer.id}`);
      const right = await oracle.following(BigInt(viewer.id));
      if (body.followingCount !== right) wrong.push(`${viewer.username} follows ${body.followingCount} for ${right}`);
    }
    if (wrong.length === 0 || Date.now() > end) return wrong;
  }
}
