import { fromJson, type Message } from "@bufbuild/protobuf";
import { ConnectError, type Transport } from "@connectrpc/connect";
import * as node from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";
import * as grpc from "@grpc/grpc-js";
import { methodDefinition } from "#lib/mesh/codec.ts";
import { fromStatus } from "#lib/mesh/status.ts";
import { bufDoor } from "./buf-door.ts";
import { jsonDoor } from "./json-door.ts";
import { answered, type Door, headersOf, refused } from "./outcome.ts";

/** Every way in. Those of buf are a process a call: for stories, not for thousands. */
export const openDoors = (edge: string): Door[] => [
  jsonDoor(edge),
  connectDoor("connect-web, Connect", web.createConnectTransport({ baseUrl: edge })),
  connectDoor("connect-web, gRPC-web", web.createGrpcWebTransport({ baseUrl: edge })),
  connectDoor(
    "connect-node, Connect",
    node.createConnectTransport({ baseUrl: edge, httpVersion: "1.1", useBinaryFormat: true }),
  ),
  connectDoor("connect-node, gRPC-web", node.createGrpcWebTransport({ baseUrl: edge, httpVersion: "1.1" })),
  connectDoor("connect-node, gRPC", node.createGrpcTransport({ baseUrl: edge })),
  grpcJsDoor(edge),
];

export const openBufDoors = (edge: string): Door[] =>
  (["connect", "grpcweb", "grpc"] as const).map((protocol) => bufDoor(edge, protocol));

function connectDoor(name: string, transport: Transport): Door {
  return {
    name,
    async call(method, request, head) {
      try {
        const sent = fromJson(method.input, request);
        const { message, header } = await transport.unary(method, undefined, undefined, headersOf(head), sent);
        return answered(method, message, header.get("idempotency-replayed") === "true");
      } catch (reason) {
        return refused(ConnectError.from(reason));
      }
    },
    close: () => {},
  };
}

function grpcJsDoor(edge: string): Door {
  const client = new grpc.Client(new URL(edge).host, grpc.credentials.createInsecure());
  return {
    name: "grpc-js, gRPC",
    call: (method, request, head) =>
      new Promise((resolve) => {
        const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
        const metadata = new grpc.Metadata();
        for (const [name, value] of Object.entries(headersOf(head))) metadata.set(name, value);
        let replayed = false;
        const serialize = () => requestSerialize(fromJson(method.input, request));
        const call = client.makeUnaryRequest(path, serialize, responseDeserialize, {}, metadata, (err, reply) =>
          resolve(err === null ? answered(method, reply as Message, replayed) : refused(fromStatus(err))),
        );
        call.on("metadata", (headers: grpc.Metadata) => {
          replayed = headers.get("idempotency-replayed")[0] === "true";
        });
      }),
    close: () => client.close(),
  };
}
