import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Edges, Said } from "./edges.ts";
import type { Ledger, Post } from "./ledger.ts";
import type { FeedPage } from "./person.ts";

/** A request that the clients were let down by. */
export type Failure = {
  readonly what: string;
  readonly time: number;
  readonly status: number;
  readonly why: string;
  /** Of the request, as the answer names it; the logs of the processes have it too. */
  readonly requestId: string;
};

export type Traffic = {
  /** Requests answered or failed so far. */
  readonly done: () => number;
  readonly failures: readonly Failure[];
  readonly tookMs: readonly number[];
  /** Requests that the second door answered. */
  readonly failedOver: () => number;
  /** Begins nothing more, and waits for what is under way. */
  stop(): Promise<void>;
};

type Step = (ledger: Ledger, edges: Edges) => Promise<Outcome>;
type Outcome = { said: Said; wrong?: string };

/** What people do, and how often of a hundred; half are reads. */
const mix: readonly { readonly what: string; readonly share: number; readonly step: Step }[] = [
  { what: "read feed", share: 15, step: readFeed },
  { what: "read post", share: 15, step: readPost },
  { what: "read profile", share: 10, step: readProfile },
  { what: "read comments or likers", share: 10, step: readUnder },
  { what: "create post", share: 15, step: createPost },
  { what: "delete post", share: 10, step: deletePost },
  { what: "comment", share: 10, step: createComment },
  { what: "follow, like or undo it", share: 15, step: toggle },
];
const sharesOfAll = mix.flatMap((entry) => Array.from({ length: entry.share }, () => entry));

/** Requests at a steady rate, whatever becomes of them: an open loop, so a stall shows as many late answers. */
export function drive({ edges, ledger, rate }: { edges: Edges; ledger: Ledger; rate: number }): Traffic {
  const failures: Failure[] = [];
  const tookMs: number[] = [];
  const underWay = new Set<Promise<void>>();
  let failedOver = 0;
  let stopped = false;

  const one = async (dueTime: number) => {
    const { what, step } = sharesOfAll[Math.floor(Math.random() * sharesOfAll.length)] ?? (mix[0] as (typeof mix)[0]);
    const { said, wrong } = await step(ledger, edges);
    tookMs.push(performance.now() - dueTime);
    if (said.broke.length > 0) failedOver++;
    if (said.status >= 200 && said.status < 300 && wrong === undefined) return;
    const { type = "", detail = "", instance = "" } = said.body;
    const why = wrong ?? (said.status === 0 ? said.broke.join(", then ") : `${type} ${detail}`);
    failures.push({ what, time: Date.now(), status: said.status, why, requestId: String(instance).slice(10) });
  };
  const loop = async () => {
    const startTime = performance.now();
    for (let nth = 0; !stopped; nth++) {
      const dueTime = startTime + (nth * 1_000) / rate;
      if (dueTime > performance.now()) await sleep(dueTime - performance.now());
      const request = one(dueTime);
      underWay.add(request);
      void request.finally(() => underWay.delete(request));
    }
  };
  const looping = loop();
  return {
    done: () => tookMs.length,
    failures,
    tookMs,
    failedOver: () => failedOver,
    async stop() {
      stopped = true;
      await looping;
      await Promise.all(underWay);
    },
  };
}

/** The newest page holds the latest acknowledged post of somebody the reader follows for good. */
async function readFeed(ledger: Ledger, edges: Edges): Promise<Outcome> {
  const reader = ledger.anyone();
  const latest = ledger.latestOf(ledger.followedBy(reader));
  const said = await edges.ask("GET", "/v1/feed?pageSize=20", { token: reader.token });
  if (said.status !== 200 || latest === undefined) return { said };
  const shown = (said.body as unknown as FeedPage).items.map(({ post }) => post.id);
  const isBelow = shown.length === 20 && BigInt(shown.at(-1) as string) > BigInt(latest.id);
  return shown.includes(latest.id) || isBelow || latest.isLeaving
    ? { said }
    : { said, wrong: `post ${latest.id} is not in the feed` };
}

async function readPost(ledger: Ledger, edges: Edges): Promise<Outcome> {
  const reader = ledger.anyone();
  const post = ledger.latestOf(ledger.anyone());
  if (post === undefined) return readProfile(ledger, edges);
  const said = await edges.ask("GET", `/v1/posts/${post.id}`, { token: reader.token });
  return { said: said.status === 404 && post.isLeaving ? { ...said, status: 200 } : said };
}

async function readProfile(ledger: Ledger, edges: Edges): Promise<Outcome> {
  return { said: await edges.ask("GET", `/v1/users/${ledger.anyone().id}`, { token: ledger.anyone().token }) };
}

async function createPost(ledger: Ledger, edges: Edges): Promise<Outcome> {
  const author = ledger.anyone();
  const key = randomUUID();
  ledger.wanted(key);
  const said = await edges.ask("POST", "/v1/posts", { token: author.token, key, body: { text: key } });
  if (said.status === 201) ledger.created({ id: String(said.body.id), author, key, isLeaving: false, isGone: false });
  return { said };
}

async function deletePost(ledger: Ledger, edges: Edges): Promise<Outcome> {
  const post: Post | undefined = ledger.oldestStanding();
  if (post === undefined) return createPost(ledger, edges);
  post.isLeaving = true;
  const said = await edges.ask("DELETE", `/v1/posts/${post.id}`, { token: post.author.token });
  if (said.status < 300 && said.status > 0) post.isGone = true;
  return { said };
}

async function readUnder(ledger: Ledger, edges: Edges): Promise<Outcome> {
  const what = Math.random() < 0.5 ? "comments" : "likes";
  return { said: await edges.ask("GET", `/v1/posts/${ledger.anchor()}/${what}`, { token: ledger.anyone().token }) };
}

async function createComment(ledger: Ledger, edges: Edges): Promise<Outcome> {
  const key = randomUUID();
  const path = `/v1/posts/${ledger.anchor()}/comments`;
  const said = await edges.ask("POST", path, { token: ledger.anyone().token, key, body: { text: key } });
  if (said.status === 201) ledger.commented(String(said.body.id), key);
  return { said };
}

/** One writer at a time for each follow and like, so that the last acknowledged state is the state. */
async function toggle(ledger: Ledger, edges: Edges): Promise<Outcome> {
  const chosen = ledger.freeSwitch();
  if (chosen === undefined) return readProfile(ledger, edges);
  chosen.isBusy = true;
  const isOn = !chosen.isOn;
  const said = await edges.ask(isOn ? "PUT" : "DELETE", chosen.path, { token: chosen.who.token });
  if (said.status >= 200 && said.status < 300) chosen.isOn = isOn;
  else chosen.isUnknown = true;
  chosen.isBusy = false;
  return { said };
}
