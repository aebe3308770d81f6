import { type DescMethod, fromJson, type JsonObject, type Message } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { methodDefinition } from "#lib/mesh/codec.ts";
import { fromStatus } from "#lib/mesh/status.ts";
import { answered, type Outcome, refused } from "../outcome.ts";

/** A service's own port, past both Envoys, with whatever token one brings. */
export type ServiceDoor = ReturnType<typeof openServiceDoor>;

/** No call of the table takes longer. */
const callMs = 20_000;

export function openServiceDoor(address: string) {
  const client = new grpc.Client(address.replace(/^\w+:\/\//, ""), grpc.credentials.createInsecure());
  return {
    call: (method: DescMethod, request: JsonObject, token: string | undefined): Promise<Outcome> =>
      new Promise((resolve) => {
        const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
        const metadata = new grpc.Metadata();
        if (token !== undefined) metadata.set("skein-token", token);
        const message = fromJson(method.input, request);
        const options = { deadline: Date.now() + callMs };
        const args = [path, requestSerialize, responseDeserialize, message, metadata, options] as const;
        const done = (reply: Message | undefined) => resolve(answered(method, reply, false));
        if (method.methodKind === "unary") {
          client.makeUnaryRequest(...args, (err, reply) => (err ? resolve(refused(fromStatus(err))) : done(reply)));
          return;
        }
        const stream = client.makeServerStreamRequest(...args);
        stream.on("data", () => {});
        stream.on("error", (err: grpc.ServiceError) => resolve(refused(fromStatus(err))));
        stream.on("end", () => done(undefined));
      }),
    close: () => client.close(),
  };
}
