import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { Kind, type Media, State } from "#gen/skein/media/v1/media_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { until } from "#lib/harness/until.ts";
import { mp4, picture } from "#lib/media/test/files.ts";
import {
  announce,
  as,
  dir,
  fetchForm,
  newKey,
  patch,
  ready,
  reasonOf,
  rows,
  somebody,
  stalled,
  system,
  uploaded,
  world,
} from "./world.ts";

world({ MEDIA_SEND_MS: "300", MEDIA_ORPHAN_SECONDS: "3600", MEDIA_DAY_BYTES_MAX: "100000" });

const small = () => picture(60, 40).png().toBuffer();
const photo = async (owner: string) => uploaded(await small(), { owner });
const post = (author: string, mediaIds: readonly string[], more: { text?: string; key?: string } = {}) =>
  system.clients.post.createPost(
    { text: more.text ?? "", mediaIds: [...mediaIds], idempotencyKey: more.key ?? newKey() },
    as(author),
  );
const get = (mediaId: string, viewer: string) => system.clients.media.getMedia({ mediaId }, as(viewer));
/** Makes the time of some media come, as if an hour or a week had passed. */
const later = (id: string) =>
  rows("UPDATE media SET collect_time = TIMESTAMPADD(WEEK, -1, collect_time) WHERE id = ?", id);
const isGone = ({ id, handle }: Media) =>
  until(`media ${id} is gone, with its bytes`, async () => {
    const left = await rows("SELECT id FROM media WHERE id = ?", id);
    return left.length === 0 && !existsSync(path.join(dir, "objects", "m", handle));
  });

test("a post shows its media as they are, in their order, also with no text, and asks nobody to", async () => {
  const author = somebody();
  const [one, two] = [await photo(author), await photo(author)];
  const made = await post(author, [two.id, one.id]);
  assert.deepEqual([made.post?.content?.media, made.post?.text], [[two, one], ""]);
  await system.kill("media", "SIGKILL");
  const { posts } = await system.clients.post.batchGetPosts({ postIds: [made.post?.id ?? ""] }, as());
  await system.start("media");
  assert.deepEqual(posts[0]?.post?.content?.media, [two, one]);
  const edit = (text: string) => system.clients.post.editPost({ postId: made.post?.id ?? "", text }, as(author));
  assert.deepEqual((await edit("said later")).post?.content?.media, [two, one], "an edit changes none");
  assert.equal((await edit("")).post?.text, "");
});

test("media are of one post: one's own, ready, claimed by no other; several are photos", async () => {
  const [author, other] = [somebody(), somebody()];
  const mine = await photo(author);
  const film = await uploaded(mp4(), { owner: author, kind: Kind.VIDEO });
  const unready = (await announce({ owner: author })).media?.id ?? "";
  await refused(post(other, [mine.id]), Code.InvalidArgument, "validation", "media_ids");
  await refused(post(author, [mine.id, mine.id]), Code.InvalidArgument, "validation", "media_ids");
  await refused(post(author, ["12345"]), Code.InvalidArgument, "validation", "media_ids");
  await refused(post(author, Array(11).fill(mine.id)), Code.InvalidArgument, "validation", "media_ids");
  await refused(post(author, [unready]), Code.FailedPrecondition, "media-not-ready", "media_ids");
  await refused(post(author, [mine.id, film.id]), Code.InvalidArgument, "validation", "media_ids");
  await refused(post(author, []), Code.InvalidArgument, "validation", "text");
  const [key, own] = [newKey(), await photo(author)];
  const first = await post(author, [own.id], { key });
  const again = await post(author, [own.id], { key });
  assert.deepEqual([again.replayed, again.post], [true, first.post]);
  await refused(post(author, [own.id]), Code.FailedPrecondition, "media-attached", "media_ids");
  assert.equal((await post(author, [film.id])).post?.content?.media[0]?.durationMs, 4_000);
});

test("what nothing is made of goes when its time comes, whole or not; what is part of a post stays", async () => {
  const owner = somebody();
  const [orphan, kept] = [await photo(owner), await photo(owner)];
  await post(owner, [kept.id]);
  await until("the post is heard of", async () => {
    const [row] = await rows("SELECT post_id, collect_time FROM media WHERE id = ?", kept.id);
    return row?.post_id !== null && row?.collect_time === null;
  });
  const left = await announce({ owner, sizeBytes: 2_000 });
  await patch(left.upload?.path ?? "", Buffer.alloc(900));
  for (const id of [orphan.id, left.media?.id ?? "", kept.id]) await later(id);
  await isGone(orphan);
  await isGone(left.media as Media);
  assert.ok(!existsSync(path.join(dir, "objects", "parts", left.media?.id ?? "")));
  await refused(get(orphan.id, owner), Code.NotFound, "not-found");
  assert.equal((await fetchForm(orphan, "full.jpg")).status, 404);
  assert.equal((await fetchForm(kept, "full.jpg")).status, 200);
  const [quota] = await rows("SELECT stored_bytes FROM media_quota WHERE owner_id = ?", owner);
  assert.equal(Number(quota?.stored_bytes), (await small()).length, "room is given back");
});

test("a post that is deleted takes its media along", async () => {
  const owner = somebody();
  const media = await photo(owner);
  const { post: made } = await post(owner, [media.id]);
  await system.clients.post.deletePost({ postId: made?.id ?? "" }, as(owner));
  await isGone(media);
  assert.equal((await fetchForm(media, "full.jpg")).status, 404);
});

test("a draft has its media to itself, in its order, as long as it stands, and the post that comes of it has them", async () => {
  const owner = somebody();
  const [a, b, c] = [await photo(owner), await photo(owner), await photo(owner)];
  const film = await uploaded(mp4(), { owner, kind: Kind.VIDEO });
  const asked = { mediaIds: [a.id, b.id], idempotencyKey: newKey() };
  const { draft } = await system.clients.post.createDraft(asked, as(owner));
  const again = await system.clients.post.createDraft(asked, as(owner));
  assert.deepEqual([draft?.media, again.draft, again.replayed], [[a, b], draft, true]);
  await refused(post(owner, [a.id]), Code.FailedPrecondition, "media-attached", "media_ids");
  const draftId = draft?.id ?? "";
  const update = (ids: string[]) => system.clients.post.updateDraft({ draftId, mediaIds: { ids } }, as(owner));
  await refused(update([b.id, film.id]), Code.InvalidArgument, "validation", "media_ids");
  assert.deepEqual((await update([c.id, b.id])).draft?.media, [c, b]);
  await until("what it has no more is free", () =>
    post(owner, [a.id]).then(
      () => true,
      () => false,
    ),
  );
  await until("what it has stays", async () => {
    const kept = await rows("SELECT id FROM media WHERE attachment = ? AND collect_time IS NULL", `draft:${draftId}`);
    return kept.length === 2;
  });
  const published = await system.clients.post.publishDraft({ draftId }, as(owner));
  assert.deepEqual([published.post?.text, published.post?.content?.media], ["", [c, b]]);
  await until("they are part of the post", async () => {
    const [row] = await rows("SELECT post_id FROM media WHERE id = ?", c.id);
    return String(row?.post_id) === published.post?.id;
  });
  await system.clients.post.deletePost({ postId: published.post?.id ?? "" }, as(owner));
  await isGone(c);
});

test("a draft that is deleted frees its media, which are orphans again", async () => {
  const owner = somebody();
  const [one, two] = [await photo(owner), await photo(owner)];
  const asked = { text: "x", mediaIds: [one.id, two.id], idempotencyKey: newKey() };
  const { draft } = await system.clients.post.createDraft(asked, as(owner));
  await system.clients.post.deleteDraft({ draftId: draft?.id ?? "" }, as(owner));
  await until("it is free", () =>
    post(owner, [one.id]).then(
      () => true,
      () => false,
    ),
  );
  await later(two.id);
  await isGone(two);
});

test("what is scheduled has its media and its quote, and no quote where its author may not see that any more", async () => {
  const [owner, other] = [somebody(), somebody()];
  const [one, two] = [await photo(owner), await photo(owner)];
  const quoted = await Promise.all(["stays", "goes"].map((text) => post(other, [], { text })));
  const [stays = "", goes = ""] = quoted.map(({ post: said }) => said?.id);
  const schedule = async (mediaId: string, quotedPostId: string) => {
    const publishTime = timestampFromMs(Date.now() + 86_000_000);
    const asked = { mediaIds: [mediaId], quotedPostId: BigInt(quotedPostId), publishTime, idempotencyKey: newKey() };
    return (await system.clients.post.createDraft(asked, as(owner))).draft?.id ?? "";
  };
  const drafts = [await schedule(one.id, stays), await schedule(two.id, goes)];
  await system.clients.post.deletePost({ postId: goes }, as(other));
  await refused(system.clients.post.publishDraft({ draftId: drafts[1] ?? "" }, as(owner)), Code.NotFound, "not-found");
  const due = "publish_time = TIMESTAMPADD(SECOND, -1, NOW(3))";
  await system.db("post").query(`UPDATE draft SET ${due} WHERE draft_id IN (?)`, [drafts]);
  await system.db("post").query("UPDATE schedule SET due_time = NOW(3) WHERE draft_id IN (?)", [drafts]);
  const published = async () => {
    const sql = "SELECT id FROM post WHERE author_id = ? ORDER BY id";
    return (await system.db("post").query(sql, [owner])).map(({ id }) => String(id));
  };
  await until("both are public", async () => (await published()).length === 2);
  const postIds = await published();
  const [{ posts }, { quoted: slots }] = await Promise.all([
    system.clients.post.batchGetPosts({ postIds }, as()),
    system.clients.post.batchGetQuoted({ postIds }, as(owner)),
  ]);
  const shown = posts.map(({ post: said }) => said?.content?.media[0]?.id).sort();
  assert.deepEqual(shown, [one.id, two.id].sort());
  assert.deepEqual(slots.map(({ postId }) => postId).sort(), ["", stays]);
  const detached = await system
    .db("post")
    .query("SELECT quoted_id FROM quote WHERE author_id = ? AND detached = 1", [owner]);
  assert.deepEqual(
    detached.map((row) => String(row.quoted_id)),
    [goes],
  );
});

test("a create that comes again is answered, also where what it was made of is gone", async () => {
  const [owner, other] = [somebody(), somebody()];
  const { post: quoted } = await post(other, [], { text: "said" });
  const media = await photo(owner);
  const asked = { mediaIds: [media.id], quotedPostId: BigInt(quoted?.id ?? 0), idempotencyKey: newKey() };
  const create = (more = {}) => system.clients.post.createPost({ ...asked, ...more }, as(owner));
  const first = await create();
  await system.clients.post.deletePost({ postId: quoted?.id ?? "" }, as(other));
  await rows("DELETE FROM media WHERE id = ?", media.id);
  const again = await create();
  assert.deepEqual([again.replayed, again.post], [true, first.post]);
  await refused(create({ text: "another" }), Code.FailedPrecondition, "idempotency-key-reused");
  await refused(create({ quotedPostId: 5n }), Code.FailedPrecondition, "idempotency-key-reused");
  await refused(create({ idempotencyKey: newKey() }), Code.NotFound, "not-found");
  const drafted = { mediaIds: [(await photo(owner)).id], quotedPostId: 0n, idempotencyKey: newKey() };
  const { draft } = await system.clients.post.createDraft(drafted, as(owner));
  await rows("DELETE FROM media WHERE id = ?", drafted.mediaIds[0] ?? "");
  assert.deepEqual((await system.clients.post.createDraft(drafted, as(owner))).draft, draft);
});

test("a comment has up to four pictures to itself, also with no text, and they go with it or with the post it stands under", async () => {
  const [author, fan] = [somebody(), somebody()];
  const { post: under } = await post(author, [], { text: "said" });
  const pictures = [await photo(fan), await photo(fan), await photo(fan)];
  const [one, two, three] = pictures.map(({ id }) => id) as [string, string, string];
  const film = await uploaded(mp4(), { owner: fan, kind: Kind.VIDEO });
  const say = (mediaIds: string[], more = {}) =>
    system.clients.comment.createComment(
      { postId: under?.id ?? "", text: "", mediaIds, idempotencyKey: newKey(), ...more },
      as(fan),
    );
  await refused(say([]), Code.InvalidArgument, "validation", "text");
  await refused(say([film.id]), Code.InvalidArgument, "validation", "media_ids");
  await refused(say([one, two, three, "4", "5"]), Code.InvalidArgument, "validation", "media_ids");
  const key = { idempotencyKey: newKey() };
  const { comment } = await say([two, one], key);
  assert.deepEqual(comment?.media, [pictures[1], pictures[0]]);
  await refused(say([one]), Code.FailedPrecondition, "media-attached", "media_ids");
  await refused(say([one], key), Code.FailedPrecondition, "idempotency-key-reused");
  const { comment: second } = await say([three], { text: "look" });
  const commentId = comment?.id ?? "";
  const edit = (text: string) => system.clients.comment.updateComment({ commentId, text }, as(fan));
  assert.deepEqual((await edit("more")).comment?.media, comment?.media, "an edit changes none");
  assert.equal((await edit("")).comment?.text, "");
  const { comments } = await system.clients.comment.listComments({ postId: under?.id ?? "" }, as());
  assert.deepEqual(
    comments.map(({ media }) => media.map(({ id }) => id)),
    [[three], [two, one]],
  );
  await until("both are heard of", async () => (await rows("SELECT id FROM media WHERE comment_id > 0")).length === 3);
  await system.clients.comment.deleteComment({ commentId }, as(fan));
  await isGone(pictures[0] as Media);
  assert.deepEqual([(await say([two, one], key)).replayed, second?.media.length], [true, 1]);
  await system.clients.post.deletePost({ postId: under?.id ?? "" }, as(author));
  await isGone(pictures[2] as Media);
});

test("an upload is taken back once and again, by its owner alone, while nothing is made of it", async () => {
  const [owner, other] = [somebody(), somebody()];
  const media = await photo(owner);
  const remove = (viewer: string) => system.clients.media.deleteMedia({ mediaId: media.id }, as(viewer));
  await refused(get(media.id, other), Code.NotFound, "not-found");
  await remove(other);
  assert.equal((await get(media.id, owner)).state, State.READY);
  const attached = await photo(owner);
  await post(owner, [attached.id]);
  const taking = system.clients.media.deleteMedia({ mediaId: attached.id }, as(owner));
  await refused(taking, Code.FailedPrecondition, "media-attached");
  await remove(owner);
  await refused(get(media.id, owner), Code.NotFound, "not-found");
  await isGone(media);
  await remove(owner);
});

test("M-09: who sends too slowly is told so in time, what came is kept, and it goes on", async () => {
  const owner = somebody();
  const body = await small();
  const { upload } = await announce({ owner, sizeBytes: body.length });
  const at = upload?.path ?? "";
  const answer = await stalled(at, body, 20);
  assert.deepEqual([answer.status, reasonOf(answer), answer.headers["upload-offset"]], [408, "request-timeout", "20"]);
  assert.equal((await patch(at, body.subarray(20), 20)).status, 204);
});

test("beyond what one person may send in a day nothing more is announced, and others go on", async () => {
  const owner = somebody();
  await announce({ owner, sizeBytes: 99_000 });
  const more = announce({ owner, sizeBytes: 2_000 });
  await refused(more, Code.ResourceExhausted, "quota-exceeded");
  const [quota] = await rows("SELECT day_bytes FROM media_quota WHERE owner_id = ?", owner);
  assert.equal(Number(quota?.day_bytes), 99_000);
  assert.equal((await announce({ sizeBytes: 2_000 })).state, State.UPLOADING);
});

test("an upload whose process died over it is taken up by the next", async () => {
  const owner = somebody();
  const body = await small();
  const { upload, media } = await announce({ owner, sizeBytes: body.length });
  const id = media?.id ?? "";
  await patch(upload?.path ?? "", body.subarray(0, 10));
  // As it is left: the last part is there, somebody took it up, and their minute is over.
  writeFileSync(path.join(dir, "objects", "parts", id, "10-left"), body.subarray(10));
  const part = [id, String(body.length - 10), `parts/${id}/10-left`];
  await rows("INSERT INTO media_part (media_id, start, size_bytes, object) VALUES (?, 10, ?, ?)", ...part);
  await rows("UPDATE media SET state = 2, tries = 1, claim_time = TIMESTAMPADD(SECOND, -1, NOW(3)) WHERE id = ?", id);
  assert.deepEqual((await ready(id, owner)).width, 60);
});
