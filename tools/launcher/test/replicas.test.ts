import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { LaunchFailure } from "../../servers/failure.ts";
import { startInstance } from "../instance.ts";
import { kindOf, nameOf, onceEach, readExtras, readKinds, readReplicas } from "../kinds.ts";
import { findFreeBase, portsFrom } from "../ports.ts";
import { callersOf, viewsOf } from "../proxies.ts";
import { readState } from "../state.ts";
import type { InstanceStatus } from "../status.ts";
import { instanceDir, runLauncher } from "./support.ts";

test("--replicas names processes and how many of each, and what comes later wins", () => {
  assert.deepEqual(readReplicas("feed=2,bff=3"), { ...onceEach, feed: 2, bff: 3 });
  const all = readReplicas("all=2,edge=1");
  assert.deepEqual([all.mesh, all.graph, all.edge], [2, 2, 1]);
  for (const wrong of ["feed", "feed=0", "feed=9", "feed=2=3", "feed=x", "redis=2", "", "feed=2,"]) {
    assert.throws(
      () => readReplicas(wrong),
      (error) => error instanceof LaunchFailure && error.exitCode === 2,
      wrong,
    );
  }
});

test("a restart takes kinds in the order of a start, whatever the order they are named in", () => {
  assert.deepEqual(readKinds("bff,feed,graph"), ["graph", "feed", "bff"]);
  assert.deepEqual(readKinds("all"), Object.keys(onceEach));
  assert.throws(() => readKinds("feed,mysql"), /no process "mysql"; there are mesh, /);
  assert.equal(kindOf(nameOf("feed", 1)), "feed");
  assert.equal(kindOf("mysql"), "mysql");
});

test("what runs beside the system is asked for by name", () => {
  assert.deepEqual(readExtras("prometheus"), ["prometheus"]);
  assert.throws(() => readExtras("grafana"), /--with grafana: there is prometheus/);
});

test("first replicas keep their ports, and no port is given twice", () => {
  for (const base of [undefined, 20_000]) {
    const single = portsFrom(base, onceEach);
    const many = portsFrom(base, readReplicas("all=3,bff=8"));
    for (const name of Object.keys(single) as (keyof typeof single)[]) assert.equal(many[name][0], single[name][0]);
    const ports = Object.values(many).flat();
    assert.equal(new Set(ports).size, ports.length);
    assert.deepEqual([many.edge.length, many.edgeAdmin.length, many.bff.length, many.mysql.length], [3, 3, 8, 1]);
  }
});

test("replicas are started, listed and restarted one by one, and the front doors keep serving", {
  timeout: 400_000,
}, async (context) => {
  const dir = await instanceDir(context);
  const replicas = readReplicas("graph=2,edge=2");
  const base = String(await findFreeBase(replicas));
  const args = ["start", "--detach", "--no-demo", "--dir", dir, "--port-base", base, "--replicas", "graph=2,edge=2"];
  const started = await runLauncher(args);
  assert.equal(started.exitCode, 0, started.stderr);
  const before = await allHealthy(dir);
  assert.equal(before.edge, `http://127.0.0.1:${base}`);
  assert.equal(before.edges?.length, 2);
  const twice = before.processes.map(({ name }) => name).filter((name) => name.endsWith("-2"));
  assert.deepEqual(twice, ["graph-2", "edge-2"]);

  const restarted = await runLauncher(["restart", "edge,graph,user", "--json", "--dir", dir]);
  assert.equal(restarted.exitCode, 0, restarted.stderr);
  const names = (JSON.parse(restarted.stdout) as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names, ["graph-1", "graph-2", "user-1", "edge-1", "edge-2"]);
  assert.match(restarted.stderr, /user has one replica: requests that need it wait or fail/);
  assert.match(restarted.stderr, /graph-2 drains \(2 of 5\)/);
  const later = await allHealthy(dir);
  assert.ok(later.processes.every(({ restarts }) => restarts === 0));
  const pidOf = (of: InstanceStatus, wanted: string) => of.processes.find(({ name }) => name === wanted)?.pid;
  for (const name of names) assert.notEqual(pidOf(later, name), pidOf(before, name), name);
  assert.equal(pidOf(later, "feed-1"), pidOf(before, "feed-1"));

  for (const wrong of [["restart"], ["restart", "nobody"]]) {
    assert.equal((await runLauncher([...wrong, "--dir", dir])).exitCode, 2);
  }
  process.kill(readState(dir)?.launcher.pid ?? 0, "SIGUSR2");
  const rung = await allHealthy(dir);
  assert.deepEqual(pidsOf(rung), pidsOf(later), "a bell without a request does nothing");
  await runLauncher(["stop", "--dir", dir]);
  assert.equal((await runLauncher(["restart", "all", "--dir", dir])).exitCode, 3);
});

test("a mesh Envoy goes when its callers have come back to the one before, and a stop cuts a restart short", {
  timeout: 120_000,
}, async (context) => {
  const dir = await instanceDir(context);
  const instance = await startInstance({ dir, replicas: { mesh: 2 } });
  const said: string[] = [];
  const proceed = () => instance.kill("bff", "SIGCONT");
  try {
    // A process calls the mesh from its first request on.
    const views = viewsOf(readState(dir)?.processes ?? []).filter(({ proxy }) => kindOf(proxy) === "mesh");
    const called = async () => (await Promise.all(views.map(callersOf))).every((count = 0) => count > 0);
    while (!(await called())) await (await fetch(`${instance.edge}/v1/users/1`)).text();
    instance.kill("bff", "SIGSTOP");
    const rolled = await instance.restart(["mesh"], (line) => {
      said.push(line);
      if (line.startsWith("mesh-1 waits for")) proceed();
    });
    assert.deepEqual(
      rolled.map(({ name }) => name),
      ["mesh-1", "mesh-2"],
    );
    const steps = said.filter((line) => /waits|goes on|drains/.test(line)).map((line) => line.split(" ", 2).join(" "));
    assert.deepEqual(steps.slice(0, 3), ["mesh-1 drains", "mesh-1 waits", "mesh-2 drains"], said.join("\n"));

    const cut = instance.restart(["edge"], (line) => {
      if (line.includes("ended")) void instance.stop();
    });
    await assert.rejects(cut, /the restart was cut short: the instance stops/);
  } finally {
    proceed();
    await instance.stop();
  }
});

const pidsOf = ({ processes }: InstanceStatus) => processes.map(({ name, pid }) => [name, pid]);

/** Waits until every process is well: one look at a busy machine finds one that is late. */
async function allHealthy(dir: string): Promise<InstanceStatus> {
  let found = await status(dir);
  await until("every process is healthy", async () => {
    found = await status(dir);
    return found.processes.every(({ healthy }) => healthy);
  });
  return found;
}

async function status(dir: string): Promise<InstanceStatus> {
  return JSON.parse((await runLauncher(["status", "--json", "--dir", dir])).stdout) as InstanceStatus;
}
