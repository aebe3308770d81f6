import { mkdir } from "node:fs/promises";
import type { Env } from "../servers/command.ts";
import { LaunchFailure } from "../servers/failure.ts";
import type { ProcessSpec } from "../servers/process-spec.ts";
import type { Program } from "../servers/program.ts";
import { claimInstance, releaseInstance } from "./claim.ts";
import { openKeys } from "./keys.ts";
import { type Extra, type Kind, kindOf, services } from "./kinds.ts";
import { boundLog } from "./logs.ts";
import { type Ports, requireFree, systemListeners } from "./ports.ts";
import { markOf } from "./process-mark.ts";
import { untilReached, viewsOf } from "./proxies.ts";
import { deferRequests, removeRequests, serveRequests } from "./requests.ts";
import { type Rolled, roll } from "./roll.ts";
import { seedDemo } from "./seed-demo.ts";
import {
  findPrograms,
  givenServers,
  type ServerUrls,
  serverListeners,
  serverSpecs,
  serverUrls,
} from "./start-servers.ts";
import { meshUrl, migrate, prometheusOf, type SystemPlace, skeinVersion, systemSpecs } from "./start-services.ts";
import { openTracing } from "./start-traces.ts";
import { type InstanceState, writeState } from "./state.ts";
import { type InstanceStatus, statusOf } from "./status.ts";
import { type Supervised, supervise } from "./supervise.ts";

export type InstanceOptions = {
  dir: string;
  ports: Ports;
  env: Env;
  deployment: string;
  demo: boolean;
  serversOnly: boolean;
  extras: readonly Extra[];
  /** Processes call each other without the mesh Envoy, which runs and is there for commands. */
  direct: boolean;
  say: (line: string) => void;
};

/** A whole system on this machine, run and watched by this process. */
export type Instance = {
  readonly dir: string;
  /** The front door. */
  readonly edge: string;
  /** All front doors, the first one first. */
  readonly edges: readonly string[];
  /** For accounts that may make schemas of their own. */
  readonly servers: ServerUrls;
  status(): Promise<InstanceStatus>;
  /** Sends a signal to a process by name (`feed` means `feed-1`). The launcher starts it again if it ends. */
  kill(name: string, signal?: NodeJS.Signals): void;
  /** Ends a process, does something while nobody listens at its address, and starts it again. */
  without(name: string, meanwhile: () => Promise<void>): Promise<void>;
  /** Restarts these replica by replica; `say` hears of each step. */
  restart(kinds: readonly Kind[], say?: (line: string) => void): Promise<Rolled[]>;
  stop(): Promise<void>;
  /** Kills everything at once, for who throws away what it kept; `stop` takes some seconds. */
  discard(): Promise<void>;
};

/** The door that signs nobody in, and passwords that cost little: the loader registers hundreds at once. */
const forLoadTests = { WRK2_API: "1", PASSWORD_MEMORY_KIB: "1024" };

const logCheckIntervalMs = 30_000;
/** After this the stages that are left get only a moment each: a stop ends within 15 s. */
const stopTimeoutMs = 10_000;

/** A class because it has a life: claimed, started, watched, stopped once. */
export class Run {
  readonly #options: InstanceOptions;
  readonly #watched: Supervised[] = [];
  #state: InstanceState | undefined;
  #stopped: Promise<void> | undefined;
  #logCheck: NodeJS.Timeout | undefined;
  readonly #stopping = new AbortController();
  #rolling: Promise<unknown> | undefined;
  #unserve: (() => void) | undefined;

  constructor(options: InstanceOptions) {
    this.#options = options;
    // Reached with something still running only by a bug of ours or of the test that started us.
    process.once("exit", () => {
      for (const process of this.#watched) process.signal("SIGTERM");
    });
  }

  async start(): Promise<Instance> {
    const { dir, ports, deployment, serversOnly, direct, say } = this.#options;
    const extras = serversOnly ? [] : this.#options.extras;
    const env = extras.includes("wrk2-api") ? { ...forLoadTests, ...this.#options.env } : this.#options.env;
    deferRequests();
    const mark = markOf(process.pid);
    if (mark === undefined)
      throw new LaunchFailure("this system does not tell when a process was started; is /proc mounted?");
    await claimInstance(dir, say);
    removeRequests(dir);
    const startTime = new Date().toISOString();
    this.#state = { launcher: mark, phase: "starting", deployment, startTime, processes: [] };
    this.#write();

    const given = await givenServers(env);
    const tracing = serversOnly ? undefined : await openTracing({ dir, env, ports, version: skeinVersion });
    const wanted = serversOnly ? serverListeners(given) : systemListeners(ports, { extras, stored: tracing?.store });
    await requireFree(wanted.flatMap((name) => ports[name]));
    const [keys, programs] = await Promise.all([
      openKeys(dir),
      findPrograms({ env, given, envoy: !serversOnly, extras, say }),
      mkdir(`${dir}/logs`, { recursive: true }),
    ]);
    await this.#step("servers", async () => {
      const specs = await serverSpecs({ dir, env, ports, keys, deployment, programs });
      await this.#startAll([...specs, ...(tracing?.store ? [tracing.store.spec] : [])]);
    });
    if (tracing?.store) this.#state.traces = tracing.store.url;
    const servers = serverUrls(given, { keys, ports, account: "admin" });
    this.#state.servers = servers;
    const edges = ports.edge.map((port) => `http://127.0.0.1:${port}`);
    const [edge = ""] = edges;
    if (!serversOnly && programs.envoy !== undefined) {
      Object.assign(this.#state, { edge, mesh: meshUrl(ports), ...(edges.length > 1 && { edges }) });
      const urls = serverUrls(given, { keys, ports, account: "app" });
      const place = { dir, env: tracing?.env ?? env, ports, keys, deployment, urls, direct };
      await this.#startSystem(place, programs.envoy, programs.prometheus);
    }
    this.#unserve = serveRequests(dir, (kinds, tell) => this.#restart(kinds, tell));
    this.#state.phase = "ready";
    this.#write();
    this.#logCheck = setInterval(() => this.#boundLogs(), logCheckIntervalMs).unref();
    return {
      dir,
      edge,
      edges,
      servers,
      status: () => statusOf(dir),
      kill: (name, signal = "SIGKILL") => void this.#named(name).signal(signal),
      without: (name, meanwhile) => this.#named(name).roll(meanwhile),
      restart: (kinds, tell = say) => this.#restart(kinds, tell),
      stop: () => this.stop(),
      discard: () => this.discard(),
    };
  }

  /** In reverse: the front door closes first, then nothing new reaches what stops after it. */
  stop(): Promise<void> {
    this.#stopped ??= this.#end(async () => {
      const deadlineTime = Date.now() + stopTimeoutMs;
      const stage = (kinds: readonly string[]) =>
        Promise.all(
          this.#watched.filter(({ name }) => kinds.includes(kindOf(name))).map((process) => process.stop(deadlineTime)),
        );
      for (const kinds of [["edge"], ["bff"], services, ["mesh"], ["mysql", "redis", "nats"], ["traces", "prometheus"]])
        await stage(kinds);
    });
    return this.#stopped;
  }

  discard(): Promise<void> {
    this.#stopped ??= this.#end(() => Promise.all(this.#watched.map((process) => process.discard())));
    return this.#stopped;
  }

  async #end(processes: () => Promise<unknown>): Promise<void> {
    clearInterval(this.#logCheck);
    this.#stopping.abort();
    if (this.#state === undefined) return;
    this.#state.phase = "stopping";
    this.#write();
    await processes();
    await releaseInstance(this.#options.dir);
    this.#unserve?.();
  }

  async #startSystem(place: SystemPlace, envoy: Program, prometheus: Program | undefined): Promise<void> {
    await this.#step("schemas", () => migrate(place));
    const specs = await systemSpecs(place, envoy);
    const extras = prometheus === undefined ? [] : [await prometheusOf(place, specs, prometheus)];
    await this.#step("services", () => this.#startAll([...specs, ...extras]));
    await this.#step("proxies", () => untilReached(viewsOf(specs), this.#stopping.signal));
    if (this.#options.demo) await this.#step("demo data", () => seedDemo(place));
  }

  /** All at once. The first failure is the one told; `stop` then ends the others. */
  async #startAll(specs: readonly ProcessSpec[]): Promise<void> {
    if (this.#stopped !== undefined) throw new LaunchFailure("stopped while starting");
    const { dir, say } = this.#options;
    const starting = specs.map((spec) => supervise(spec, { dir, say, onChange: () => this.#write() }));
    this.#watched.push(...starting);
    await Promise.all(starting.map((process) => process.start()));
  }

  /** One at a time: a second request waits for the first. */
  #restart(kinds: readonly Kind[], say: (line: string) => void): Promise<Rolled[]> {
    const given = this.#stopping.signal;
    const before = this.#rolling ?? Promise.resolve();
    const rolled = before.then(() => roll({ kinds, watched: this.#watched, given, say }));
    this.#rolling = rolled.catch(() => undefined);
    return rolled;
  }

  async #step(title: string, work: () => Promise<unknown>): Promise<void> {
    const startTime = Date.now();
    const done = await work();
    if (done !== false) this.#options.say(`${title} ready (${((Date.now() - startTime) / 1000).toFixed(1)} s)`);
  }

  #named(name: string): Supervised {
    const found = this.#watched.find((process) => process.name === name || process.name === `${name}-1`);
    if (found === undefined) throw new Error(`no process ${name}; there are ${this.#watched.map((each) => each.name)}`);
    return found;
  }

  #write(): void {
    if (this.#state === undefined) return;
    this.#state.processes = this.#watched.map((process) => process.record());
    writeState(this.#options.dir, this.#state);
  }

  #boundLogs(): void {
    for (const { name } of this.#watched) boundLog(this.#options.dir, name);
    boundLog(this.#options.dir, "launcher");
  }
}
