import { generateKeyPairSync, type JsonWebKey, randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { DescMethodUnary, DescService } from "@bufbuild/protobuf";
import { type CallOptions, type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus } from "#gen/grpc/health/v1/health_pb.ts";
import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { AccountService } from "#gen/skein/graph/v1/account_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { ListService } from "#gen/skein/graph/v1/list_pb.ts";
import { MuteService } from "#gen/skein/graph/v1/mute_pb.ts";
import { RelationService } from "#gen/skein/graph/v1/relation_pb.ts";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { ContentService } from "#gen/skein/post/v1/contents_pb.ts";
import { DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import { MentionService } from "#gen/skein/post/v1/mention_pb.ts";
import { PollService } from "#gen/skein/post/v1/poll_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { RepostService } from "#gen/skein/post/v1/repost_pb.ts";
import { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import { AuthorService } from "#gen/skein/user/v1/author_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { newTraceparent, onBehalfOfNobody, valuesOf } from "#lib/mesh/call.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { shards } from "#lib/storage/id.ts";
import type { Db } from "#lib/storage/mysql.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type Address, meshConfig } from "../../infra/envoy/config.ts";
import { freeAddresses, healthy, startEnvoy } from "../../infra/envoy/test/running.ts";
import { type ServiceProcess, startService } from "./process.ts";
import type { Scratch } from "./scratch.ts";
import { until } from "./until.ts";

const services = {
  graph: GraphService,
  user: UserService,
  media: MediaService,
  post: PostService,
  like: LikeService,
  comment: CommentService,
  feed: FeedService,
} as const;

/** Some have several contracts; a test calls them as one. */
const more: { readonly [N in Noun]?: readonly DescService[] } = {
  graph: [RelationService, MuteService, ListService, AccountService],
  user: [AuthorService],
  post: [ContentService, DraftService, QuoteService, RepostService, SaveService, MentionService, PollService],
};

export type Noun = keyof typeof services;
type Clients = { readonly [N in Exclude<Noun, "graph" | "post" | "user">]: Client<(typeof services)[N]> } & {
  readonly user: Client<typeof UserService> & Client<typeof AuthorService>;
  readonly post: Client<typeof PostService> &
    Client<typeof ContentService> &
    Client<typeof DraftService> &
    Client<typeof QuoteService> &
    Client<typeof RepostService> &
    Client<typeof SaveService> &
    Client<typeof MentionService> &
    Client<typeof PollService>;
  readonly graph: Client<typeof GraphService> &
    Client<typeof RelationService> &
    Client<typeof MuteService> &
    Client<typeof ListService> &
    Client<typeof AccountService>;
};

/** Longer than the slowest RPC may take: a test hears the service's own answer. */
const callMs = 35_000;

/** Services of a test file's own: their processes, their stores and clients that call them as the mesh would. */
export type Booted<N extends Noun> = {
  /** Called by the BFF, and by the operator's commands. */
  readonly clients: Pick<Clients, N>;
  readonly operator: Pick<Clients, N>;
  /** Called by anyone who says to be `caller` under some key. */
  strangers(caller: string, key: string): Pick<Clients, N>;
  /** Options of a call behind which this person is, or nobody. */
  as(viewerId?: string | bigint): CallOptions;
  db(noun: N): Db;
  readonly redis: Redis;
  /** Where media's bytes come and go. */
  readonly bytesPort: number;
  /** What access tokens are checked with. */
  readonly accessKey: JsonWebKey;
  /** Takes away what Redis knows of this deployment, at once: FLUSHALL, but for the tests beside. */
  flush(): Promise<void>;
  /** Sends the signal and waits for the end, and until the mesh has noticed: what it knew before counts no more. */
  kill(noun: N, signal: NodeJS.Signals): Promise<void>;
  /** Starts one that was killed, and waits until it is asked again. */
  start(noun: N): Promise<void>;
  /** Drains everything; throws where a service did not leave in order. */
  stop(): Promise<void>;
};

/** Migrates, starts and waits for the services of `nouns`; `env` is told to each of them. */
export async function boot<const N extends Noun>(
  place: Scratch,
  nouns: readonly N[],
  { env = {} }: { env?: Readonly<Record<string, string>> } = {},
): Promise<Booted<N>> {
  // One alone asks nobody.
  const meshed = nouns.length > 1;
  const free = await freeAddresses(3 + nouns.length);
  const [listen, admin, bytes, ...at] = free as [Address, Address, Address, ...Address[]];
  const addresses = new Map(nouns.map((noun, nth) => [noun, at[nth] as Address]));
  const dbs = await byNoun(nouns, (noun) => place.openDb(noun, `services/${noun}/schema`));
  const redis = await place.openRedis();
  const keys = makeKeys();
  const told = { ...envOf(place, listen, keys), HTTP_PORT: String(bytes.port), ...env };
  const running = new Map<Noun, ServiceProcess>();
  const closing: (() => unknown)[] = [];
  const transports: { readonly noun: Noun; readonly transport: Transport }[] = [];

  const clientsOf = (caller: string, key: string): Pick<Clients, N> => {
    const made = nouns.map((noun) => {
      const transport = grpcTransport({ address: urlOf(addresses.get(noun)), caller, key });
      closing.push(transport.close);
      transports.push({ noun, transport });
      const clients = (more[noun] ?? []).map((desc) => createClient(desc, transport));
      return [noun, Object.assign(createClient(services[noun], transport), ...clients)];
    });
    return Object.fromEntries(made) as Pick<Clients, N>;
  };

  const launch = async (noun: N): Promise<void> => {
    const port = String(addresses.get(noun)?.port);
    running.set(noun, await startService(noun, { ...told, INSTANCE: `${noun}-1`, PORT: port }));
  };

  const stop = async (): Promise<void> => {
    for (const close of closing.splice(0)) await close();
    // Callers before the called, so that nobody is cut off.
    for (const noun of [...nouns].reverse()) await running.get(noun)?.leave();
    await rm(told.MEDIA_DIR, { recursive: true, force: true });
  };

  try {
    await Promise.all(nouns.map(launch));
    if (meshed) {
      const config = meshConfig({
        listen,
        admin,
        services: Object.fromEntries([...addresses].map(([noun, address]) => [noun, [address]])),
      });
      const envoy = await startEnvoy(config, admin);
      closing.unshift(() => envoy[Symbol.asyncDispose]());
      for (const noun of nouns) await reached(noun, listen);
      if (nouns.some((noun) => noun === "feed")) await vouchedFor(redis, nouns);
    }
  } catch (reason) {
    await stop();
    throw reason;
  }

  return {
    clients: clientsOf("bff", keys.internal),
    operator: clientsOf("operator", keys.internal),
    strangers: clientsOf,
    as: optionsOf,
    db: (noun) => dbs.get(noun) as Db,
    redis,
    bytesPort: bytes.port,
    accessKey: keys.access.public,
    flush: async () => void (await redis.run(redis.pipeline().eval(flushLua, 0, `${place.deployment}:*`))),
    async kill(noun, signal) {
      await running.get(noun)?.kill(signal);
      if (meshed) await healthy(admin, noun, 0);
    },
    async start(noun) {
      await launch(noun);
      for (const { noun: of, transport } of transports) if (of === noun) await serving(noun, transport);
      if (meshed) await reached(noun, listen);
    },
    stop,
  };
}

const urlOf = (address: Address | undefined): string => `http://${address?.host}:${address?.port}`;

async function byNoun<N extends Noun, T>(nouns: readonly N[], open: (noun: N) => Promise<T>): Promise<Map<N, T>> {
  return new Map(await Promise.all(nouns.map(async (noun) => [noun, await open(noun)] as const)));
}

function optionsOf(viewerId?: string | bigint): CallOptions {
  const traceparent = newTraceparent();
  return {
    contextValues: valuesOf({
      viewerId: viewerId === undefined ? undefined : String(viewerId),
      caller: "test",
      deadline: Date.now() + callMs,
      traceparent,
      requestId: traceparent.slice(3, 35),
    }),
  };
}

type Keys = ReturnType<typeof makeKeys>;

function makeKeys() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const secret = () => randomBytes(32).toString("base64url");
  const access = { private: privateKey.export({ format: "jwk" }), public: publicKey.export({ format: "jwk" }) };
  return { internal: secret(), cursor: secret(), access };
}

/** Passwords are cheap, and nobody waits for callers to notice that a service leaves. */
const envOf = (place: Scratch, mesh: Address, { internal, cursor, access }: Keys) => ({
  DEPLOYMENT: place.deployment,
  MYSQL_URL: place.mysqlUrl,
  REDIS_URL: place.redisUrl,
  NATS_URL: place.natsUrl,
  MESH_URL: urlOf(mesh),
  INTERNAL_KEY: internal,
  CURSOR_KEY: cursor,
  ACCESS_KEY: JSON.stringify(access.private),
  PASSWORD_MEMORY_KIB: "1024",
  MEDIA_DIR: path.join(tmpdir(), `skein-${place.deployment}`),
  // Only the tests of previews ask the web, and theirs is here.
  PREVIEWS: "off",
  DRAIN_MS: "0",
});

/** Waits until a service that was started again answers on a connection that saw it die. */
async function serving(noun: Noun, transport: Transport): Promise<void> {
  const health = createClient(Health, transport);
  const serves = async () =>
    (await health.check({}, onBehalfOfNobody("test", 1_000))).status === HealthCheckResponse_ServingStatus.SERVING;
  await until(`${noun} serves`, () => serves().catch(() => false));
}

/**
 * Waits until the mesh sends calls to a service: one under no key is refused by the service, UNAUTHENTICATED, and no
 * longer by the mesh. What Envoy's admin page says is not enough: its workers hear of a second change in a second late.
 */
async function reached(noun: Noun, mesh: Address): Promise<void> {
  const transport = grpcTransport({ address: urlOf(mesh), caller: "test", key: randomBytes(32).toString("base64url") });
  const [method] = services[noun].methods as [DescMethodUnary];
  const ask = () => transport.unary(method, undefined, undefined, undefined, {}, optionsOf().contextValues);
  await until(`${noun} is reached through the mesh`, () =>
    ask().then(
      () => false,
      (reason) => ConnectError.from(reason).code === Code.Unauthenticated,
    ),
  );
  transport.close();
}

/** Waits until feed believes Redis: each owner has vouched since feed connected. From then on pages are made the usual way. */
async function vouchedFor(redis: Redis, nouns: readonly Noun[]): Promise<void> {
  const [time] = (await redis.run(redis.pipeline().time())) as [[string, string]];
  const sinceMs = Number(time[0]) * 1000 + Number(time[1]) / 1000;
  const owners = nouns.filter((noun) => noun !== "feed" && noun !== "user" && noun !== "media");
  await until("Redis is vouched for", async () => {
    const pipeline = redis.pipeline();
    for (const owner of owners) pipeline.hvals(redis.soleKey(`vouch.${owner}`));
    const vouched = (await redis.run(pipeline)) as string[][];
    return vouched.every((times) => times.length === shards && times.every((ms) => Number(ms) > sinceMs));
  });
}

const flushLua = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end return 1";
