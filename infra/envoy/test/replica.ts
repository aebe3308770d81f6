import * as grpc from "@grpc/grpc-js";
import type { Address } from "../config.ts";

/** A replica of every service at once: it answers as it is told, counts, and says of its health what it is told. */
export type Replica = {
  readonly server: grpc.Server;
  answer: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => void;
  hits: number;
  serves: boolean;
};

export const whole = (bytes: Buffer): Buffer => bytes;
const wire = {
  requestSerialize: whole,
  requestDeserialize: whole,
  responseSerialize: whole,
  responseDeserialize: whole,
};
const unary = (rpc: string) => ({ path: rpc, requestStream: false, responseStream: false, ...wire });

/** Six of the mesh's unary RPCs; all but logIn may be repeated. A try of importUsers may take 13.5 s, of getUser 0.9 s. */
export const rpcs = {
  getUser: "/skein.user.v1.UserService/GetUser",
  logIn: "/skein.user.v1.UserService/LogIn",
  importUsers: "/skein.user.v1.UserService/ImportUsers",
  batchGetPosts: "/skein.post.v1.PostService/BatchGetPosts",
  listHomeFeed: "/skein.feed.v1.FeedService/ListHomeFeed",
  getFollowSet: "/skein.graph.v1.GraphService/GetFollowSet",
} as const;
/** Streams five pages in 2.5 s. */
export const scanFollowers = "/skein.graph.v1.GraphService/ScanFollowers";

export const sound: Replica["answer"] = (_, reply) => reply(null, Buffer.alloc(0));
export const refuse: Replica["answer"] = (_, reply) => reply({ code: grpc.status.UNAVAILABLE, details: "not now" });
export const hang: Replica["answer"] = () => {};

export async function startReplica({ host, port }: Address): Promise<Replica> {
  const server = new grpc.Server();
  const replica: Replica = { server, hits: 0, answer: sound, serves: true };
  const answer: grpc.handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    replica.hits += 1;
    replica.answer(call, reply);
  };
  server.addService(
    {
      check: unary("/grpc.health.v1.Health/Check"),
      ...Object.fromEntries(Object.entries(rpcs).map(([name, rpc]) => [name, unary(rpc)])),
      scanFollowers: { path: scanFollowers, requestStream: false, responseStream: true, ...wire },
    },
    {
      check: (_: unknown, reply: grpc.sendUnaryData<Buffer>) => reply(null, Buffer.from([8, replica.serves ? 1 : 2])),
      ...Object.fromEntries(Object.keys(rpcs).map((name) => [name, answer])),
      scanFollowers: async (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        for (let page = 0; page < 5; page += 1) {
          call.write(Buffer.alloc(1));
          // Five of them outlast any one try: that a stream may take this long is what its test is about.
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
        call.end();
      },
    },
  );
  const bind = (done: (err: Error | null) => void) =>
    server.bindAsync(`${host}:${port}`, grpc.ServerCredentials.createInsecure(), done);
  await new Promise<void>((resolve, reject) => bind((err) => (err === null ? resolve() : reject(err))));
  return replica;
}

/** The status a call ended with, what was answered, and after how long. */
export function callOf(
  client: grpc.Client,
  rpc: string,
  options: grpc.CallOptions = {},
  metadata = new grpc.Metadata(),
) {
  const start = Date.now();
  return new Promise<{ code: grpc.status; details: string; body: string; ms: number }>((resolve) => {
    client.makeUnaryRequest(rpc, whole, whole, Buffer.alloc(0), metadata, options, (err, body) =>
      resolve({
        code: err?.code ?? grpc.status.OK,
        details: err?.details ?? "",
        body: String(body ?? ""),
        ms: Date.now() - start,
      }),
    );
  });
}

export const hitsOf = (...of: Replica[]): number => of.reduce((sum, { hits }) => sum + hits, 0);

export function answerWith(answer: Replica["answer"], ...of: Replica[]): void {
  for (const replica of of) Object.assign(replica, { answer, hits: 0 });
}
