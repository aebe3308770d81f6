import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { encodeSpans } from "../../infra/otel/line.ts";
import type { Span } from "../../infra/otel/spans.ts";
import { onceEach } from "../launcher/kinds.ts";
import { findFreeBase, portsFrom } from "../launcher/ports.ts";
import { openTracing } from "../launcher/start-traces.ts";
import { cacheDirOf } from "../servers/cache.ts";
import { findJaeger } from "../servers/jaeger.ts";

const file = join(import.meta.dirname, "..", "trace.ts");
const traceId = "0af7651916cd43dd8448eb211c80319c";
const jaeger = await findJaeger({ env: process.env, cacheDir: cacheDirOf(process.env) });
const noJaeger = { ...process.env, SKEIN_JAEGER: "", SKEIN_CACHE: "/nowhere", PATH: "/nowhere" };

for (const [name, env, skip] of [
  ["the project's own store", noJaeger, false],
  ["Jaeger", process.env, jaeger === undefined && "no Jaeger here; npm run get -- jaeger builds one"],
] as const) {
  test(`a post's trace is drawn from ${name}, with waits, errors and links, and told as JSON`, {
    skip,
  }, async (context) => {
    const { otlp, url } = await startStore(context, env);
    const spans = aPost(Date.now() - 60_000);
    // Two processes export at different times: the drawing waits for the second.
    await send(otlp, spans.slice(0, 1).concat(spans.slice(2)));
    const drawing = run([`post:${7}`, "--url", url]);
    await send(otlp, spans.slice(1, 2));
    const { stdout, stderr, code } = await drawing;
    assert.equal(code, 0, stderr);
    const [head = "", , ...lines] = stdout.trimEnd().split("\n");
    assert.match(head, new RegExp(`^trace ${traceId} · .* · 130\\.0 ms · 4 spans · 3 processes · 1 failed$`));
    assert.deepEqual(lines, [
      "      0.0 ms      40.0 ms  ███████·················  edge-1  POST /v1/posts 201",
      "     10.0 ms      20.0 ms  ·█████··················    post-2  CreatePost",
      `${" ".repeat(57)}⋯ 70.0 ms after its parent ended`,
      "    100.0 ms      20.0 ms  ··················████··      feed-1  hear PostCreated",
      `${" ".repeat(59)}↪ linked to span ${"b".repeat(16)} of trace ${"a".repeat(32)}`,
      "    110.0 ms      20.0 ms  ····················████        feed-1  tl write ✖ Unavailable",
    ]);
    const told = JSON.parse((await run([traceId, "--json", "--url", url])).stdout) as { traces: { spans: object[] }[] };
    assert.deepEqual(
      told.traces.map((trace) => trace.spans.length),
      [4],
    );
    assert.match(
      (await run(["--url", url])).stdout,
      new RegExp(`${traceId} +130\\.0 ms +4 +1 +POST /v1/posts 201 +edge post feed`),
    );
  });
}

test("nothing found, wrong usage and nothing running have exit codes of their own", async (context) => {
  const { url } = await startStore(context, noJaeger);
  const codes = [
    run([`${"0".repeat(31)}1`, "--wait", "0", "--url", url]),
    run(["--url", url]),
    run(["what", "--url", url]),
    run(["--limit", "0"]),
    run(["1", "--dir", "/nowhere"]),
    run(["1", "--url", "http://127.0.0.1:9"]),
  ];
  assert.deepEqual(
    (await Promise.all(codes)).map(({ code }) => code),
    [1, 1, 2, 2, 3, 3],
  );
});

/** An edge, a service behind it, and a consumer that hears of it later. */
function aPost(atMs: number): Span[] {
  const at = (ms: number) => BigInt(atMs + ms) * 1_000_000n;
  const span = (
    n: number,
    parent: number | undefined,
    service: string,
    name: string,
    from: number,
    to: number,
  ): Span => ({
    traceId,
    spanId: String(n).repeat(16),
    parentId: parent === undefined ? undefined : String(parent).repeat(16),
    name,
    kind: "server",
    service,
    instance: service === "post" ? "post-2" : `${service}-1`,
    startNs: at(from),
    endNs: at(to),
    error: undefined,
    attributes: {},
    links: [],
  });
  const request = { "http.method": "POST", "http.url": "http://x/v1/posts?a=1", "http.status_code": 201 };
  return [
    { ...span(1, undefined, "edge", "ingress", 0, 40), attributes: request },
    { ...span(2, 1, "post", "CreatePost", 10, 30), attributes: { "skein.aggregate": "post:7" } },
    {
      ...span(3, 2, "feed", "hear PostCreated", 100, 120),
      attributes: { "skein.aggregate": "post:7" },
      links: [{ traceId: "a".repeat(32), spanId: "b".repeat(16) }],
    },
    { ...span(4, 3, "feed", "tl write", 110, 130), error: "Unavailable" },
  ];
}

async function send(otlp: string, spans: readonly Span[]): Promise<void> {
  const headers = { "content-type": "application/json" };
  const sent = await fetch(`${otlp}/v1/traces`, { method: "POST", headers, body: encodeSpans(spans) });
  assert.equal(sent.status, 200);
}

/** The store as the launcher starts it. */
async function startStore(context: TestContext, env: NodeJS.ProcessEnv): Promise<{ otlp: string; url: string }> {
  const dir = await mkdtemp(join(tmpdir(), "skein-traces-"));
  const ports = portsFrom(await findFreeBase(), onceEach);
  const { OTEL_EXPORTER_OTLP_ENDPOINT: _own, ...rest } = env;
  const { store, env: told } = await openTracing({ dir, env: rest, ports, version: "0.0.0" });
  assert.ok(store !== undefined);
  const { spec, url } = store;
  const child = spawn(spec.file, spec.args, { env: spec.env, stdio: "ignore" });
  const ended = new Promise((done) => child.once("exit", done));
  context.after(async () => {
    child.kill();
    await ended;
    await rm(dir, { recursive: true });
  });
  await until("the store answers", () => spec.ready(""));
  return { otlp: told.OTEL_EXPORTER_OTLP_ENDPOINT ?? "", url };
}

function run(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [file, ...args]);
  const said = { code: null as number | null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.stderr += text;
  });
  return new Promise((done) => child.on("close", (code) => done({ ...said, code })));
}
