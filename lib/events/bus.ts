import {
  AckPolicy,
  connect,
  DeliverPolicy,
  DiscardPolicy,
  Events,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  type NatsConnection,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from "nats";
import { unavailable } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import { shards } from "#lib/storage/id.ts";
import { pause } from "./lease.ts";
import type { Event } from "./outbox.ts";
import { pollOn } from "./poll.ts";
import { type Ack, publisher } from "./publish.ts";
import { handOver } from "./spans.ts";

/** An event as it came out of a stream. */
export type Delivered = Event & { readonly sequence: bigint; readonly incarnation: number };

/** What a stream is: its life (incarnation) and its end. */
export type StreamState = { readonly created: string; readonly lastSequence: bigint; readonly incarnation: number };

/** Facts older than this are asked from their outbox, not from the stream. */
const keptDays = 3;
/** A full stream refuses: its relay waits, nothing is dropped in silence. */
const streamBytesMax = 4 * 1024 ** 3;
/** Events under way to one consumer; the server holds the rest. */
const underWayMax = 512;
const askMs = 5_000;
/** What is still to be said gets this long at the end; without a server there is nobody to say it to. */
const closeMs = 1_000;
/** Commits of so long a time are told of together. */
const nudgeMs = 10;
const oldestServer = [2, 12];

export type Bus = ReturnType<typeof openBus>;

/** What there is to speak with, once there is a server. */
type Link = {
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly publish: ReturnType<typeof publisher>;
};
/** UNAVAILABLE before the first connect. */
type Linked = () => Link;

/**
 * The one place that speaks NATS. Subjects are `<deployment>.skein.<noun>.v1.<Event>.<shard>`, one stream a noun. The
 * connection is made in the background and for ever: who needs it while it is away gets UNAVAILABLE. A server that is too
 * old ends the process.
 */
export function openBus({ url, deployment, log }: { url: string; deployment: string; log: Log }) {
  let link: Link | undefined;
  let up = false;
  let nudging = false;
  let closed = false;
  const listeners: (() => void)[] = [];
  const begun: ((connection: NatsConnection) => void)[] = [];
  const change = (state: boolean) => {
    up = state;
    if (up) for (const tell of listeners) tell();
  };
  const linked: Linked = () => {
    if (link === undefined) throw unavailable("nats");
    return link;
  };

  const connecting = linkTo(url, deployment).then((made) => {
    if (closed) return void made.connection.close();
    link = made;
    void watch(made.connection, log, change);
    for (const begin of begun) begin(made.connection);
    change(true);
  });
  // With a server that will not do there is nothing to go on with: the process ends by it, as by any bug.
  connecting.catch((reason) => closed || setImmediate(() => Promise.reject(reason)));

  const base = (noun: string) => `${deployment}.skein.${noun}.v1`;
  const name = (noun: string) => `${deployment}_${noun}`.toUpperCase();

  /** Done with the first connection: before it there is nobody to subscribe at. */
  const begin = (then: (connection: NatsConnection) => void): void => {
    if (link === undefined) begun.push(then);
    else then(link.connection);
  };

  return {
    ...publishing(linked, base),
    ...streams(linked, name, base),
    ...reading(linked, name, base),
    up: () => up,
    onReconnect: (tell: () => void) => void listeners.push(tell),
    /** Asks the owner of a stream to tell a shard's facts before a position again: this life of it lacks some. */
    askReplay: (noun: string, shard: number, before: bigint, incarnation: number) =>
      linked().connection.publish(`${base(noun)}-replay`, `${shard} ${before} ${incarnation}`),
    /** Tells the relays of a stream that there are new facts; lost while NATS is away. At most one in `nudgeMs`. */
    nudge(noun: string): void {
      if (!up || nudging) return;
      nudging = true;
      setTimeout(() => {
        nudging = false;
        if (up && !closed) link?.connection.publish(`${base(noun)}-nudge`);
      }, nudgeMs);
    },
    onNudge: (noun: string, tell: () => void) =>
      begin((connection) => void connection.subscribe(`${base(noun)}-nudge`, { callback: () => tell() })),
    onReplay(noun: string, tell: (shard: number, before: bigint, incarnation: number) => void) {
      begin((connection) => {
        connection.subscribe(`${base(noun)}-replay`, {
          callback: (err, msg) => {
            const [, shard, before, incarnation] = (err === null && /^(\d+) (\d+) (\d+)$/.exec(msg.string())) || [];
            if (before !== undefined) tell(Number(shard), BigInt(before), Number(incarnation));
          },
        });
      });
    },
    /** A question that every process of the deployment answers for itself. */
    poll: (name: string) =>
      pollOn({ connection: () => linked().connection, begin, subject: `${deployment}.poll.${name}` }),
    ping: async () => linked().connection.rtt(),
    async close(): Promise<void> {
      closed = true;
      if (link === undefined) return;
      const { connection } = link;
      const said = connection.drain().catch((reason) => log.warn("nats not drained", { error: reason }));
      await Promise.race([said, pause(closeMs, AbortSignal.timeout(closeMs))]);
      void connection.close();
    },
  };
}

/** Waits for a server for as long as it takes. */
async function linkTo(url: string, deployment: string): Promise<Link> {
  const { username, password, host } = new URL(url);
  const connection = await connect({
    servers: host,
    user: decodeURIComponent(username),
    pass: decodeURIComponent(password),
    name: deployment,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 100,
    waitOnFirstConnect: true,
    noAsyncTraces: true, // A stack for each publish costs 3 % of a busy process, and names the driver.
    pingInterval: 5_000,
    maxPingOut: 2,
  });
  assertVersion(connection);
  const js = connection.jetstream({ timeout: askMs });
  const jsm = await connection.jetstreamManager({ checkAPI: false, timeout: askMs });
  return { connection, js, jsm, publish: publisher(connection) };
}

function publishing(linked: Linked, base: (noun: string) => string) {
  return {
    /** Publishes one fact and waits until the stream has it. */
    publish: (noun: string, told: Event, incarnation: number): Promise<Ack> =>
      handOver(told, async (event) =>
        linked().publish(`${base(noun)}.${event.type}.${event.shard}`, event, incarnation),
      ),
  };
}

function streams(linked: Linked, name: (noun: string) => string, base: (noun: string) => string) {
  return {
    /** The stream as it is now, or undefined where there is none. */
    async state(noun: string): Promise<StreamState | undefined> {
      try {
        return stateOf(await linked().jsm.streams.info(name(noun)));
      } catch (reason) {
        if (reason instanceof NatsError && reason.api_error?.err_code === 10059) return undefined;
        throw unavailable("nats", reason);
      }
    },
    async createStream(noun: string, incarnation: number): Promise<StreamState> {
      const info = await linked().jsm.streams.add({
        name: name(noun),
        subjects: [`${base(noun)}.>`],
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        discard: DiscardPolicy.New,
        max_bytes: streamBytesMax,
        max_age: nanos(keptDays * 86_400_000),
        duplicate_window: nanos(120_000),
        num_replicas: 1,
        metadata: { incarnation: String(incarnation) },
      });
      return stateOf(info);
    },
    /** Begins a new life of a stream that lost something: empty, under a new number. */
    async renewStream(noun: string, incarnation: number): Promise<StreamState> {
      await linked().jsm.streams.purge(name(noun));
      return stateOf(await linked().jsm.streams.update(name(noun), { metadata: { incarnation: String(incarnation) } }));
    },
  };
}

const stateOf = ({ created, state, config }: StreamInfo): StreamState => ({
  created,
  lastSequence: BigInt(state.last_seq),
  incarnation: Number(config.metadata?.incarnation ?? 0),
});

function reading(linked: Linked, name: (noun: string) => string, base: (noun: string) => string) {
  return {
    /**
     * Events of some shards from a sequence on, in order, as they come: one ephemeral consumer without acks, since the
     * place is kept by who reads. Ends (throws) when anything is amiss; the reader begins again from its place.
     */
    async *read(
      noun: string,
      wanted: ReadonlySet<number>,
      from: bigint,
      signal: AbortSignal,
    ): AsyncGenerator<Delivered> {
      const { js, jsm } = linked();
      const filters =
        wanted.size === shards ? [`${base(noun)}.>`] : [...wanted].map((shard) => `${base(noun)}.*.${shard}`);
      const { name: consumerName } = await jsm.consumers.add(name(noun), {
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Number(from),
        filter_subjects: filters,
        mem_storage: true,
        inactive_threshold: nanos(30_000),
        num_replicas: 1,
      });
      const consumer = await js.consumers.get(name(noun), consumerName);
      const messages = await consumer.consume({
        max_messages: underWayMax,
        expires: 5_000,
        idle_heartbeat: 1_000,
        abort_on_missing_resource: true,
      });
      const stop = () => messages.stop();
      signal.addEventListener("abort", stop, { once: true });
      void endWhenSilent(messages);
      let expected = 1;
      try {
        for await (const message of messages) {
          if (message.info.deliverySequence !== expected++) throw new Error("the consumer skipped a message");
          yield deliveredOf(message);
        }
      } finally {
        signal.removeEventListener("abort", stop);
        await jsm.consumers.delete(name(noun), consumerName).catch(() => false);
      }
    },
  };
}

/** Heartbeats that stay away mean that the consumer or the server is gone: end the loop rather than wait on it. */
async function endWhenSilent(messages: {
  status(): Promise<AsyncIterable<{ type: string; data: unknown }>>;
  stop(): void;
}): Promise<void> {
  for await (const { type, data } of await messages.status()) {
    if (type === "heartbeats_missed" && Number(data) >= 2) messages.stop();
    if (type === "consumer_deleted" || type === "consumer_not_found" || type === "stream_not_found") messages.stop();
  }
}

function deliveredOf(message: JsMsg): Delivered {
  const header = (key: string) => message.headers?.get(key) ?? "";
  const [shard = "", type = ""] = message.subject.split(".").reverse();
  return {
    id: BigInt(header("Nats-Msg-Id").split(".")[0] ?? 0),
    shard: Number(shard),
    type,
    aggregate: header("Skein-Aggregate"),
    version: BigInt(header("Skein-Version")),
    actor: BigInt(header("Skein-Actor")),
    position: BigInt(header("Skein-Position")),
    incarnation: Number(header("Skein-Incarnation")),
    traceparent: header("traceparent"),
    payload: message.data,
    sequence: BigInt(message.seq),
  };
}

/** Old servers ignore features without a word, so no answer of theirs proves anything: the version is asserted. */
function assertVersion(connection: NatsConnection): void {
  const version = connection.info?.version ?? "0.0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin = 0, minorMin = 0] = oldestServer;
  if (major < majorMin || (major === majorMin && minor < minorMin)) {
    throw new Error(`nats-server ${version} is too old: ${oldestServer.join(".")} or newer is needed`);
  }
}

async function watch(connection: NatsConnection, log: Log, tell: (up: boolean) => void): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type === Events.Disconnect) {
      log.warn("nats away");
      tell(false);
    } else if (type === Events.Reconnect) {
      log.info("nats back");
      tell(true);
    }
  }
}
