import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { type TestContext, test } from "node:test";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { ServerReflection, type ServerReflectionRequestSchema } from "#gen/grpc/reflection/v1/reflection_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { postApi } from "./post-api.ts";
import { serve } from "./serve.ts";

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

/** Asks one question after the other, in one conversation. */
async function reflect(t: TestContext, reflects: boolean, questions: readonly Question[]) {
  const { grpcPort } = await serve(t, postApi().rpcs, { reflects });
  const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: `http://127.0.0.1:${grpcPort}` }));
  async function* asked() {
    for (const messageRequest of questions) yield { messageRequest };
  }
  const answers = [];
  for await (const { messageResponse } of client.serverReflectionInfo(asked())) answers.push(messageResponse);
  return answers;
}

test("reflection names the services, and tells a file with all that it imports", async (t) => {
  const [services, file, method, none] = await reflect(t, true, [
    { case: "listServices", value: "" },
    { case: "fileByFilename", value: "skein/api/v1/post.proto" },
    { case: "fileContainingSymbol", value: "skein.api.v1.PostService.GetPost" },
    { case: "fileContainingSymbol", value: "skein.post.v1.PostService" },
  ]);
  assert.ok(services?.case === "listServicesResponse");
  assert.deepEqual(
    services.value.service.map(({ name }) => name),
    ["skein.api.v1.PostService", "grpc.reflection.v1.ServerReflection"],
  );
  assert.ok(file?.case === "fileDescriptorResponse" && method?.case === "fileDescriptorResponse");
  assert.deepEqual(method.value, file.value);
  const files = file.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  const names = new Set(files.map(({ name }) => name));
  assert.equal(files[0]?.name, "skein/api/v1/post.proto");
  for (const { dependency } of files) for (const name of dependency) assert.ok(names.has(name), name);
  assert.ok(none?.case === "errorResponse", "what is spoken inside is not told");
  assert.equal(none.value.errorCode, Code.NotFound);
});

test("reflection is off unless it is asked for", async (t) => {
  const refused = reflect(t, false, [{ case: "listServices", value: "" }]);
  await assert.rejects(refused, (reason) => ConnectError.from(reason).code === Code.Unimplemented);
});

test("draining says unhealthy, lets a call finish, sends GOAWAY, and takes nothing new", {
  timeout: 20_000,
}, async (t) => {
  const gate = Promise.withResolvers<void>();
  const slow = async () => {
    await gate.promise;
    return {};
  };
  const { grpcPort, server } = await serve(t, postApi({ getPost: slow }).rpcs, { drainMs: 2_000 });
  const baseUrl = `http://127.0.0.1:${grpcPort}`;
  const posts = createClient(
    PostService,
    createGrpcTransport({ baseUrl, sessionManager: new Http2SessionManager(baseUrl) }),
  );
  const inFlight = posts.getPost({ post: "1" });
  const session = http2.connect(baseUrl);
  const healthOf = async () => {
    const stream = session.request({ ":path": "/healthz" });
    const [headers] = await once(stream, "response");
    stream.resume();
    return headers[":status"];
  };
  assert.equal(await healthOf(), 200);
  const goaway = once(session, "goaway");
  const stopped = server.stop();
  assert.equal(await healthOf(), 503, "still answering while the edge looks away");
  assert.deepEqual((await goaway)[0], http2.constants.NGHTTP2_NO_ERROR);
  const late = http2.connect(baseUrl);
  await assert.rejects(once(late, "connect"), /ECONNREFUSED/);
  gate.resolve();
  assert.deepEqual((await inFlight).post, undefined);
  await stopped;
});
