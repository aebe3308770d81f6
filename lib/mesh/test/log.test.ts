import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { namesOf } from "../call.ts";
import { createLog } from "../log.ts";

const limit = 100;
type Line = { time: string; level: string; name: string; msg: string; held?: number; n?: number };

test("a line has its time, level, process and message first, and names the call as every process does", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1_000 });
  const lines: string[] = [];
  const log = createLog({ name: "post-1", level: "info", write: (line) => lines.push(line) });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  log.error("rpc failed", { ...namesOf({ traceparent, requestId: "r1", caller: "bff" }), error: new Error("gone") });
  log.debug("not told");
  const [text = "", ...more] = lines;
  assert.deepEqual(more, []);
  assert.ok(
    text.startsWith(
      '{"time":"1970-01-01T00:00:01.000Z","level":"error","name":"post-1","msg":"rpc failed",' +
        '"trace":"0af7651916cd43dd8448eb211c80319c","request":"r1","caller":"bff","error":{"message":"gone"',
    ),
    text,
  );
});

test("a storm is held by its second, and what was held is told when the second is over, also if nothing follows", (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_250 });
  const lines: Line[] = [];
  const log = createLog({ name: "post-1", level: "info", write: (line) => lines.push(JSON.parse(line) as Line) });
  for (let n = 0; n < limit + 7; n++) log.warn("relay", { n });
  log.warn("another");
  assert.equal(lines.length, limit + 1);
  context.mock.timers.tick(749);
  assert.equal(lines.length, limit + 1);
  context.mock.timers.tick(1);
  const held = { time: "1970-01-01T00:00:02.000Z", level: "warn", name: "post-1", msg: "relay", held: 7 };
  assert.deepEqual(lines.at(-1), held);
  context.mock.timers.tick(5_000);
  assert.equal(lines.length, limit + 2);
  for (let n = 0; n < limit + 2; n++) log.warn("relay", { n });
  context.mock.timers.tick(1_000);
  assert.deepEqual([lines.length, lines.at(-1)?.held], [limit + 2 + limit + 1, 2]);
});

test("what is held when a process ends is told before it is gone", () => {
  const log = new URL("../log.ts", import.meta.url);
  const storm = `for (let n = 0; n < ${limit + 3}; n++) log.info("storm");`;
  const code = `import { createLog } from "${log}"; const log = createLog({ name: "x", level: "info" }); ${storm}`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
  const last = stdout.trim().split("\n").at(-1) ?? "";
  assert.equal((JSON.parse(last || "{}") as Line).held, 3, stderr);
});
