//! Everything that the projects this one grew from could do, or said they could: each entry of their catalogue has an operation of
//! ours that a test exercises, or the one piece of open work that brings it, or is no feature.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import type { DescMessage, DescService } from "@bufbuild/protobuf";
import { type Cover, covers, openWork } from "./support/coverage.ts";

const root = path.resolve(import.meta.dirname, "..");
const { endpoints } = JSON.parse(readFileSync(path.join(root, "tests/support/seed-endpoints.json"), "utf8")) as {
  endpoints: { id: string }[];
};

/** Full names of every RPC and message of the contracts. */
async function contracts(): Promise<Set<string>> {
  const files = globSync("gen/{skein,grpc}/**/*_pb.ts", { cwd: root });
  const modules = await Promise.all(files.map((file): Promise<object> => import(path.join(root, file))));
  const all = modules.flatMap((module) => Object.values(module) as (DescService | DescMessage | undefined)[]);
  const names = all.flatMap((desc) => {
    if (desc?.kind === "service") return desc.methods.map(({ name }) => `${desc.typeName}.${name}`);
    return desc?.kind === "message" ? [desc.typeName] : [];
  });
  return new Set(names);
}

const storyOf = (cover: Cover) => ("story" in cover ? cover.story : undefined);

test("every entry has an operation that a test exercises, or a piece of open work, or is no feature", async (t) => {
  const known = await contracts();
  const ids = endpoints.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(Object.keys(covers).sort(), [...ids].sort());
  const wrong: string[] = [];
  for (const [id, cover] of Object.entries(covers)) {
    if ("by" in cover && !known.has(cover.by)) wrong.push(`${id}: no contract has ${cover.by}`);
    if ("open" in cover && !openWork.includes(cover.open)) wrong.push(`${id}: ${cover.open} is no piece of open work`);
    const story = storyOf(cover);
    if (story === undefined) continue;
    const [file, title] = story;
    const isThere = [`test("${title}`, `test('${title}`].some((text) =>
      readFileSync(path.join(root, file), "utf8").includes(text),
    );
    if (!isThere) wrong.push(`${id}: ${file} has no test "${title}…"`);
  }
  assert.deepEqual(wrong, []);
  const all = Object.values(covers);
  const by = (fits: (cover: Cover) => boolean) => all.filter(fits).length;
  t.diagnostic(
    `${ids.length} entries: ${by((cover) => "by" in cover)} by contracts, ${by((cover) => "at" in cover)} by other paths, ${openWork
      .map((name) => `${by((cover) => "open" in cover && cover.open === name)} ${name}`)
      .join(", ")}, ${by((cover) => "none" in cover)} no feature`,
  );
});
