import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";

/** One RPC as grpc-js wants it described: path and codecs come from the descriptor. Bodies are at most 4 MiB. */
export function methodDefinition(method: DescMethod): MethodDefinition<Message, Message> {
  return {
    path: pathOf(method),
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: (value) => encode(method.input, value),
    requestDeserialize: (bytes) => decode(method.input, bytes),
    responseSerialize: (value) => encode(method.output, value),
    responseDeserialize: (bytes) => decode(method.output, bytes),
  };
}

const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

/** Both sides refuse more: grpc-js receives 4 MiB by default but would send anything. */
const messageBytesMax = 4 * 1024 * 1024;

export const channelOptions = {
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc.max_send_message_length": messageBytesMax,
} as const;
