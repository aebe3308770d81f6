//! Metrics, dashboards and alerts, on a running system with a real Prometheus that counts five seconds for five minutes.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import {
  type Cause,
  flushes,
  hanging,
  locks,
  losses,
  poison,
  silence,
  slowClients,
  stutter,
} from "./support/causes.ts";
import { type Person, register } from "./support/person.ts";
import { type Alert, metricsIn, metricsOf, panels, prometheusAt, shortRules } from "./support/prometheus.ts";
import { type System, startSystem } from "./support/system.ts";

const root = path.resolve(import.meta.dirname, "..");
const scratch = mkdtempSync(path.join(tmpdir(), "skein-rules-"));

let system: System;
let people: Person[];
let prometheus: ReturnType<typeof prometheusAt>;
before(async () => {
  const rules = path.join(scratch, "rules.yml");
  writeFileSync(rules, shortRules());
  const env = { PROMETHEUS_RULES: rules, PROMETHEUS_INTERVAL_SECONDS: "1", AUDIT_MS: "200" };
  system = await startSystem({}, env, ["prometheus"]);
  const { processes } = await system.instance.status();
  prometheus = prometheusAt(processes.find(({ name }) => name === "prometheus")?.address ?? "");
  people = await Promise.all(Array.from({ length: 4 }, () => register(system.edge)));
});
after(async () => {
  await system.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** Some of everything that people do. */
async function live(): Promise<void> {
  const [ada, bob] = people as [Person, Person];
  await bob.follow(ada);
  const post = await ada.post("hello");
  await Promise.all([bob.like(post.id), bob.comment(post.id, "well said"), bob.feedPage(20), ada.feedPage(20)]);
}

test("Prometheus' own tool finds nothing wrong with its configuration and the rules", async () => {
  const { processes } = await system.instance.status();
  const pid = processes.find(({ name }) => name === "prometheus")?.pid;
  const promtool = path.join(path.dirname(readlinkSync(`/proc/${pid}/exe`)), "promtool");
  for (const [what, file] of [
    ["config", path.join(system.dir, "prometheus", "prometheus.yml")],
    ["rules", path.join(root, "infra/grafana/rules.yml")],
  ] as const) {
    assert.match(execFileSync(promtool, ["check", what, file], { encoding: "utf8" }), /SUCCESS/);
  }
});

test("every metric that a rule or a panel names is shown by some process", async () => {
  const { processes } = await system.instance.status();
  const urls = processes.flatMap(({ metricsUrl }) => metricsUrl ?? []);
  const silent = processes.filter(({ metricsUrl }) => metricsUrl === undefined).map(({ name }) => name);
  assert.deepEqual(silent.sort(), ["mysql", "nats", "prometheus", "redis", "traces"]);
  const rules = await prometheus.rules();
  const recorded = rules.filter(({ type }) => type === "recording").map(({ name }) => name);
  const known = new Set(["up", ...recorded, ...(await Promise.all(urls.map(metricsOf))).flat()]);
  const named = [...rules.map(({ query }) => query), ...panels().map(({ expr }) => expr)].flatMap(metricsIn);
  assert.ok(named.length > 50);
  assert.deepEqual(
    [...new Set(named)].filter((name) => !known.has(name)),
    [],
  );
});

test("every panel has something to show on a system in which people live", async () => {
  await until("every panel has series", async () => {
    await live();
    return (await emptyPanels()).length === 0;
  }).catch(async (reason) => assert.deepEqual(await emptyPanels(), [], String(reason)));
});

async function emptyPanels(): Promise<string[]> {
  const counts = await Promise.all(panels().map(({ expr }) => prometheus.series(expr)));
  return panels().flatMap(({ dashboard, title, expr }, nth) =>
    counts[nth] === 0 ? `${dashboard}: ${title}: ${expr}` : [],
  );
}

test("every alert has a severity, says what happened, and names a runbook that is there", async () => {
  const alerts = (await prometheus.rules()).filter(({ type }) => type === "alerting");
  for (const { name, labels = {}, annotations = {} } of alerts) {
    assert.match(labels.severity ?? "", /^(critical|warning)$/, name);
    assert.ok(annotations.summary && annotations.description, name);
    assert.equal(annotations.runbook_url, `infra/grafana/runbooks/${name}.md`);
    const page = readFileSync(path.join(root, annotations.runbook_url), "utf8");
    assert.ok(page.startsWith(`# ${name}\n`), `${name}: its runbook has another name`);
    for (const heading of ["Means", "People notice", "Look", "Do"]) assert.ok(page.includes(`\n## ${heading}\n`), name);
    for (const [, script = ""] of page.matchAll(/npm run ([\w-]+)/g))
      assert.ok(script in scripts, `${name}: npm run ${script}`);
    for (const [file] of page.matchAll(/\b(?:infra|lib|services|bff|docs)\/[\w./-]+\w/g)) {
      assert.ok(existsSync(path.join(root, file)), `${name}: ${file}`);
    }
  }
});
const { scripts } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { scripts: object };

/** An alert by its name, and the labels that say that it is about the cause and nothing else. */
type Expected = readonly [name: string, labels?: Readonly<Record<string, string>>];

const isOf =
  ([name, labels = {}]: Expected) =>
  (alert: Alert): boolean =>
    alert.labels.alertname === name && Object.entries(labels).every(([label, value]) => alert.labels[label] === value);

const firing = async (): Promise<Alert[]> => (await prometheus.alerts()).filter(({ state }) => state === "firing");

/** Alerts, and what causes them. Causes of one line work at the same time. */
const story: { readonly causes: readonly Cause[]; readonly expected: readonly Expected[] }[] = [
  {
    causes: [slowClients, stutter("comment"), poison],
    expected: [
      ["Shedding", { job: "bff" }],
      ["EventLoopBlocked", { instance: "comment-1" }],
      ["EventsParked", { job: "feed", stream: "post" }],
    ],
  },
  { causes: [losses], expected: [["FeedsWrong", { result: "missing" }]] },
  { causes: [flushes], expected: [["CacheCold", { cache: "card" }]] },
  {
    causes: [locks],
    expected: [
      ["PoolWaits", { job: "post" }],
      ["RpcSlow", { method: "post.CreatePost" }],
    ],
  },
  { causes: [silence], expected: [["PostsInvisible"]] },
  {
    causes: [hanging],
    expected: [
      ["ProcessDown", { instance: "graph-1" }],
      ["DependencyAway", { job: "post", dependency: "nats" }],
      ["RpcErrors", { method: "graph.FollowUser" }],
      ["OutboxOld", { stream: "post" }],
      ["ConsumerBehind", { stream: "post" }],
      ["FanoutBehind"],
    ],
  },
];

test("the story has every alert there is", async () => {
  const names = (await prometheus.rules()).filter(({ type }) => type === "alerting").map(({ name }) => name);
  assert.deepEqual(names.sort(), story.flatMap(({ expected }) => expected.map(([name]) => name)).sort());
});

for (const { causes, expected } of story) {
  test(`${expected.map(([name]) => name).join(", ")} fire when their cause is there`, { timeout: 90_000 }, async () => {
    await until(
      "none of them fires yet",
      async () => !(await firing()).some((alert) => expected.some((one) => isOf(one)(alert))),
    );
    const ending = new AbortController();
    const under = Promise.allSettled(causes.map((cause) => cause(system, people, ending.signal)));
    const missing = new Set(expected);
    const look = async () => {
      const alerts = await firing();
      for (const one of missing) if (alerts.some(isOf(one))) missing.delete(one);
      return missing.size === 0;
    };
    await until("they fire", look).catch(() => {});
    ending.abort();
    const failed = (await under).flatMap((cause) => (cause.status === "rejected" ? [cause.reason] : []));
    assert.deepEqual([...missing, ...failed], [], "did not fire");
  });
}

test("what fired ends with its cause, but for what waits for somebody to look", async () => {
  await until("only parked events are left", async () => {
    await live();
    return (await firing()).every(({ labels }) => labels.alertname === "EventsParked");
  });
});
