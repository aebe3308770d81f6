import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { shownChecker } from "../tools/chaos/check/shown.ts";
import { openTruth } from "../tools/chaos/check/truth.ts";
import { type Finding, openChecker } from "../tools/chaos/check.ts";
import type { Fault } from "../tools/chaos/faults.ts";
import { sendPhoto } from "../tools/chaos/photo.ts";
import { isPassed, reportOf, resultOf } from "../tools/chaos/report.ts";
import { type Run, runChaos } from "../tools/chaos/run.ts";
import { startTarget, type Target } from "../tools/chaos/target.ts";
import { createProgress } from "../tools/progress.ts";
import type { Person } from "./support/person.ts";
import {
  countTwice,
  doubleLike,
  dropPostEvent,
  fireTwice,
  keepDraft,
  loseDraft,
  loseRow,
  loseVote,
  reorderLike,
  staleCard,
  turnBack,
} from "./support/planted.ts";

/** Two cores carry it with a test beside. */
const rate = 20;
/** One fault of each kind; those of `npm run chaos` are of chance. */
const faults: readonly Fault[] = [
  { kind: "kill", victim: "post-1", how: "", isOnlyCopy: false },
  { kind: "freeze", victim: "bff-2", how: "", isOnlyCopy: false },
  { kind: "loss", victim: "redis", how: "flushed", isOnlyCopy: true },
  { kind: "loss", victim: "nats", how: "deleted", isOnlyCopy: true },
];

const place = mkdtempSync(path.join(tmpdir(), "skein-journal-"));
const journalFile = path.join(place, "journal.jsonl");
const quiet = { write: () => undefined };
let target: Target;
let run: Run;
before(
  async () => {
    target = await startTarget({ replicas: "post=2,feed=2,bff=2,edge=2", say: () => undefined });
  },
  { timeout: 180_000 },
);
after(async () => {
  await target.stop(false);
  rmSync(place, { recursive: true, force: true });
});

test("a round of faults loses, doubles and reorders nothing, and everything becomes equal to the truth", {
  timeout: 240_000,
}, async () => {
  const progress = createProgress({ stream: quiet });
  const sizes = { rounds: 1, rate, seed: "1", people: 4, freezeMs: 2_000, settleMs: 500, warmUpMs: 500 };
  run = await runChaos({ ...sizes, target, journalFile, progress, faults });
  const result = resultOf(run, { rounds: 1, seed: "1" });
  assert.ok(isPassed(result), reportOf(run, result));
  assert.ok(result.acknowledged > 0);
});

/** Plants something wrong and waits until the checker names it. */
async function isNamed(plant: (target: Target, run: Run) => Promise<Finding>): Promise<void> {
  const checker = await openChecker(target, journalFile, run.people);
  try {
    const wanted = await plant(target, run);
    let found: readonly Finding[] = [];
    await until(`the checker says: ${wanted.kind}: ${wanted.text}`, async () => {
      found = await checker.look();
      return found.some(({ kind, text }) => kind === wanted.kind && text === wanted.text);
    });
  } finally {
    await checker.close();
  }
}

for (const [what, plant] of [
  ["a card that is older than its post", staleCard],
  ["an event told twice", doubleLike],
  ["an event told before an older one", reorderLike],
  ["an event that the stream dropped", dropPostEvent],
  ["an acknowledged row that is gone", loseRow],
  ["a read position that went back", turnBack],
  ["a vote that is gone", loseVote],
  ["a vote that is counted twice", countTwice],
  ["a schedule that fired twice", fireTwice],
  ["a draft that is kept although it is public", keepDraft],
  ["a draft that is neither kept nor public", loseDraft],
] as const) {
  test(`the checker names ${what}`, { timeout: 60_000 }, () => isNamed(plant));
}

test("the checker names a photo that is not where its poster was told it is, a preview of another page, and none", async () => {
  const { urls, deployment, edges, site } = target;
  const truth = openTruth({ url: urls.mysqlUrl, deployment });
  const look = (posts: readonly Posted[]) =>
    shownChecker({ door: edges[0] ?? "", people: run.people, truth })(posts).then((found) =>
      found.map(({ kind, text }) => `${kind}: ${text}`),
    );
  try {
    const posted = run.journal.filter((entry) => entry.what === "post");
    assert.ok(posted.some(({ photo }) => photo) && posted.some(({ link }) => link), "the load had both");
    const poster = run.people[0] as Person;
    const link = site?.linkTo("tea") ?? "";
    const linked = await poster.post(`see ${link}`);
    const plain = await poster.post("no link");
    const mediaId = await sendPhoto({ doors: edges, token: poster.token, key: randomUUID() });
    const sent = { body: { text: "", mediaIds: [mediaId] }, key: randomUUID() };
    const { body: pictured } = await poster.call<Pictured>("POST", "/v1/posts", sent);
    const photo = pictured.media.items[0]?.variants[0]?.url;
    await until("the preview is there", async () => {
      const { body } = await poster.call<{ linkPreview?: object }>("GET", `/v1/posts/${linked.id}`);
      return body.linkPreview !== undefined;
    });
    const of = { time: 0, what: "post", author: poster.id, key: "" } as const;
    assert.deepEqual(
      await look([
        { ...of, id: pictured.id, photo: `${photo}` },
        { ...of, id: linked.id, link },
      ]),
      [],
    );
    assert.deepEqual(
      await look([
        { ...of, id: pictured.id, photo: `${photo}.gone` },
        { ...of, id: linked.id, link: link.slice(0, -1) },
        { ...of, id: plain.id, link: "no link" },
      ]),
      [
        `lost: the photo of post ${pictured.id} was acknowledged and is not there`,
        `lost: post ${linked.id} has the preview of another page`,
        `lost: the link of post ${plain.id} has no preview, and gets none`,
      ],
    );
  } finally {
    await truth.close();
  }
});

type Posted = Extract<Run["journal"][number], { what: "post" }>;
type Pictured = { readonly id: string; readonly media: { readonly items: { readonly variants: { url: string }[] }[] } };
