//! The same service over a store that speaks S3, where TEST_S3_ENDPOINT names one (http://key:secret@host/bucket).

import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { State } from "#gen/skein/media/v1/media_pb.ts";
import { refused } from "#lib/harness/refused.ts";
import { until } from "#lib/harness/until.ts";
import { picture } from "#lib/media/test/files.ts";
import { announce, as, cut, fetchForm, offsetOf, patch, ready, somebody, system, world } from "./world.ts";

const endpoint = process.env.TEST_S3_ENDPOINT ?? "";
const skip = endpoint === "" && "no TEST_S3_ENDPOINT";
if (!skip) world({ S3_ENDPOINT: endpoint });

const jpeg = () => picture(640, 480).jpeg().toBuffer();

test("parts go to S3 and its forms come from there, whole and in part", { skip }, async () => {
  const owner = somebody();
  const body = await jpeg();
  const { media, upload } = await announce({ owner, sizeBytes: body.length });
  const at = upload?.path ?? "";
  await cut(at, body, 0, 1_000);
  await until("what came is kept", async () => (await offsetOf(at)) === 1_000);
  assert.equal((await patch(at, body.subarray(1_000), 1_000)).status, 204);
  const made = await ready(media?.id ?? "", owner);
  const { body: bytes } = await fetchForm(made, "full.jpg");
  const part = await fetchForm(made, "full.jpg", { range: "bytes=10-19" });
  assert.deepEqual([part.status, part.body], [206, bytes.subarray(10, 20)]);
  await system.clients.media.deleteMedia({ mediaId: made.id }, as(owner));
  await until("it is gone", async () => (await fetchForm(made, "full.jpg")).status === 404);
});

test("a client puts all bytes into S3 itself, says so, and they are processed like any others", { skip }, async () => {
  const owner = somebody();
  const body = await jpeg();
  const { media, upload } = await announce({ owner, sizeBytes: body.length });
  const mediaId = media?.id ?? "";
  const complete = () => system.clients.media.completeMedia({ mediaId }, as(owner));
  await refused(complete(), Code.FailedPrecondition, "upload-incomplete");
  const put = await fetch(upload?.directUrl ?? "", { method: "PUT", body: new Uint8Array(body) });
  assert.equal(put.status, 200);
  assert.equal((await complete()).state, State.PROCESSING);
  assert.equal((await ready(mediaId, owner)).width, 640);
  assert.equal((await complete()).state, State.READY);
});
