//! Checks the shape of the code itself: who may import whom, what files are called, which SQL is written, and the few
//! limits we hold to. The second test plants a violation of each rule, so that none of them can go blind.

import assert from "node:assert/strict";
import { test } from "node:test";
import { changelogComplaints } from "./tidy/changelog.ts";
import { importComplaints } from "./tidy/rooms.ts";
import { shapeComplaints } from "./tidy/shape.ts";
import { sqlComplaints } from "./tidy/sql.ts";
import { readTree, type Tree } from "./tidy/tree.ts";

const complaintsOf = (tree: Tree): string[] =>
  [importComplaints, shapeComplaints, sqlComplaints, changelogComplaints].flatMap((rule) => rule(tree));

test("the tree is tidy", () => {
  const tree = readTree();
  assert.ok(tree.has("tools/tidy.test.ts") && tree.has("lib/mesh/errors.ts"), "the tree was not found");
  assert.deepEqual(complaintsOf(tree), []);
});

/** File, text, complaint. */
const planted: [file: string, text: string, complaint: string][] = [
  ["services/like/src/store.ts", 'import { p } from "../../post/src/store.ts";', "may not import services/post"],
  ["services/like/src/store.ts", 'import { p } from "../../../bff/src/app.ts";', "may not import bff"],
  ["services/like/src/store.ts", 'import { boot } from "#lib/harness/boot.ts";', "may not import lib/harness"],
  ["lib/mesh/run.ts", 'import { meshConfig } from "../../infra/envoy/config.ts";', "may not import infra"],
  ["lib/harness/boot.ts", 'import { run } from "../../tools/launcher/run.ts";', "may not import tools"],
  ["services/like/test/like.test.ts", 'import { p } from "../../post/src/store.ts";', "may not import services/post"],
  ["lib/mesh/serve.ts", 'import {\n  a,\n  b,\n} from "#lib/storage/mysql.ts";', "may not import lib/storage"],
  ["lib/mesh/serve.ts", 'const a = await import("#lib/events/bus.ts");', "may not import lib/events"],
  ["lib/storage/mysql.ts", 'import { X } from "#gen/skein/post/v1/post_pb.ts";', "may not import gen"],
  ["lib/storage/mysql.ts", 'export { X } from "#lib/events/bus.ts";', "may not import lib/events"],
  ["lib/events/bus.ts", 'import "#lib/readmodel/card.ts";', "may not import lib/readmodel"],
  ["lib/readmodel/card.ts", 'import { bus } from "#lib/events/bus.ts";', "may not import lib/events"],
  ["bff/src/app.ts", 'import { db } from "#lib/storage/mysql.ts";', "may not import lib/storage"],
  ["bff/src/app.ts", 'import { r } from "#lib/readmodel/card.ts";', "may not import lib/readmodel"],
  ["infra/envoy/config.ts", 'import { run } from "#lib/mesh/run.ts";', "may not import lib/mesh"],
  ["bff/src/app.ts", 'import { L } from "../../gen/skein/like/v1/like_pb.ts";', "use #gen/skein/like/v1/like_pb.ts"],
  ["tools/seed.ts", 'import { e } from "../lib/mesh/errors.ts";', "use #lib/mesh/errors.ts"],
  ["lib/mesh/serve.ts", 'import { e } from "#lib/mesh/errors.ts";', "use a relative path"],
  ["plugins/x.ts", "", "is in no room"],
  ["services/like/src/store.ts", 'import mysql from "mysql2/promise";', "mysql2/promise, which belongs to lib/storage"],
  ["lib/events/bus.ts", 'import Redis from "ioredis";', "ioredis, which belongs to lib/storage"],
  ["bff/src/live.ts", 'import { connect } from "nats";', "nats, which belongs to lib/events"],
  ["services/like/src/main.ts", 'import { Server } from "@grpc/grpc-js";', "belongs to lib/mesh"],
  ["services/like/src/main.ts", 'import { c } from "@connectrpc/connect-node";', "belongs to lib/mesh and bff"],
  ["lib/mesh/http.ts", 'import Koa from "koa";', "koa, which belongs to bff"],
  ["lib/mesh/http.ts", 'import Router from "@koa/router";', "@koa/router, which belongs to bff"],
  [
    "services/like/src/handlers.ts",
    'import { jwtVerify } from "jose";',
    "jose, which belongs to services/user and bff",
  ],
  ["services/like/src/cache.ts", "", "is not a file services have"],
  ["services/like/src/lists/x.ts", "", "is not a file services have"],
  ["services/like/schema/likes.sql", "", "is not a file services have"],
  ["services/like/src/handlers.ts", "", "services/like has no src/main.ts"],
  ["services/like/src/main.ts", "", "services/like has no README.md"],
  ["bff/src/app.ts", "\n".repeat(400), "is longer than 400 lines"],
  ["bff/src/string-utils.ts", "", 'is named "utils"'],
  ["lib/mesh/helpers/x.ts", "", 'is named "helpers"'],
  ["bff/src/app.ts", "const port = process.env.PORT;", "reads process.env"],
  ["services/like/src/store.ts", "const q = `DELETE FROM t RETURNING id`;", "uses RETURNING"],
  ["services/like/src/store/import.ts", 'const q = "SELECT id FROM t FOR UPDATE SKIP LOCKED";', "uses SKIP LOCKED"],
  ["services/like/schema/0001_x.sql", "create table t (id bigint auto_increment primary key);", "uses AUTO_INCREMENT"],
  ["services/like/schema/0001_x.sql", "CREATE TABLE t (id BIGINT); -- PRIMARY KEY", "makes t without a PRIMARY KEY"],
  ["lib/events/outbox.ts", "const ddl = `CREATE TABLE IF NOT EXISTS outbox (id BIGINT)`;", "makes outbox without"],
  ["CHANGELOG.md", "# Changes\n", "does not begin with # Changelog"],
  ["CHANGELOG.md", "# Changelog\n\n## Next\n", '"## Next", which has not its form'],
  ["CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n### Fixes\n", '"### Fixes", which has not its form'],
  ["CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n### Features\n\n- likes\n", '"- likes", which has not its form'],
];

test("tidy sees what it forbids", () => {
  for (const [file, text, complaint] of planted) {
    const found = complaintsOf(new Map([[file, text]]));
    assert.ok(
      found.some((line) => line.includes(complaint)),
      `${file} with ${text}: expected "${complaint}" in ${found}`,
    );
  }
});

test("tidy sees a page whose headings are its own", () => {
  const pages = new Map([
    ["services/like/README.md", "# like\n\n## Owns\n\n## Limits\n"],
    ["services/post/README.md", "# post\n\n## Owns\n\n## Bounds\n"],
  ]);
  assert.ok(complaintsOf(pages).some((line) => line.includes("has other headings (Owns, Bounds)")));
});

test("tidy lets pass what it should", () => {
  const sound = new Map([
    ["services/like/README.md", "## Owns"],
    ["services/like/src/main.ts", 'import { run } from "#lib/mesh/run.ts";\nimport { config } from "./config.ts";'],
    ["services/like/src/config.ts", "export const port = process.env.PORT;"],
    [
      "services/like/src/store.ts",
      'import { L } from "#gen/x.ts";\n// never RETURNING\nconst a = "INSERT INTO t VALUES (?)";',
    ],
    ["services/like/schema/0001_likes.sql", "CREATE TABLE likes (post_id BIGINT, PRIMARY KEY (post_id));"],
    ["services/like/test/like.test.ts", 'import mysql from "mysql2";\nimport { boot } from "#lib/harness/boot.ts";'],
    ["lib/harness/boot.ts", 'import { meshConfig } from "../../infra/envoy/config.ts";'],
    ["lib/storage/mysql.ts", 'import mysql from "mysql2/promise";\nimport { unavailable } from "#lib/mesh/errors.ts";'],
    ["tools/launch.ts", 'import { edgeConfig } from "../infra/envoy/config.ts";\nimport mysql from "mysql2";'],
    ["CHANGELOG.md", "# Changelog\n\n## 0.1.0 (2026-11-22)\n\n### Features\n\n- Likes\n  come.\n\n- Posts.\n"],
  ]);
  assert.deepEqual(complaintsOf(sound), []);
});
