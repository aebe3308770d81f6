import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import { StatusSchema } from "#gen/google/rpc/status_pb.ts";

/** Where gRPC carries error details: https://grpc.io/docs/guides/error/#richer-error-model. */
const detailsKey = "grpc-status-details-bin";

/** A trailer: the callee kept its span though the trace is not sampled. */
export const keptKey = "skein-kept";

/** A ConnectError as grpc-js sends it. A message from INTERNAL up stays here: it could tell too much. */
export function toStatus(err: ConnectError): Partial<StatusObject> {
  const told = err.code === Code.Internal || err.code === Code.Unknown ? "internal" : err.rawMessage;
  const metadata = new Metadata();
  const details = err.details.map((detail) => {
    const [typeName, value] =
      "desc" in detail
        ? [detail.desc.typeName, toBinary(detail.desc, create(detail.desc, detail.value))]
        : [detail.type, detail.value];
    return create(AnySchema, { typeUrl: `type.googleapis.com/${typeName}`, value });
  });
  if (details.length > 0) {
    const status = create(StatusSchema, { code: err.code, message: told, details });
    metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, status)));
  }
  return { code: err.code as number, details: told, metadata };
}

/** How grpc-js words a stream or a connection that ended without a status: nobody said these, so nobody judged the call. */
const brokenOff = /^(Received RST_STREAM with code \d+|Connection dropped$|read ECONNRESET$)/;
/**
 * How Envoy words a replica that went away under a call, where its retry budget left the call out. One that it did send
 * again says "retried and the latest reset reason", and has had its chances.
 */
const leftOut = /disconnect\/reset before headers\. reset reason: (connection termination|remote connection failure)/;

/** Whether the peer, or the proxy before it, went away under the call, and nobody has tried it elsewhere. */
export const isBrokenOff = ({ code, details }: Pick<ServiceError, "code" | "details">): boolean =>
  (code === status.INTERNAL || code === status.UNAVAILABLE) && (brokenOff.test(details) || leftOut.test(details));

/** What grpc-js reports as the ConnectError that the peer threw; UNAVAILABLE where the peer went away. */
export function fromStatus(err: ServiceError): ConnectError {
  if (isBrokenOff(err)) return new ConnectError("the answer broke off", Code.Unavailable, undefined, undefined, err);
  const known = err.code in Code ? (err.code as number as Code) : Code.Unknown;
  const out = new ConnectError(err.details, known, undefined, undefined, err);
  const [packed] = err.metadata?.get(detailsKey) ?? [];
  if (packed instanceof Buffer) {
    for (const { typeUrl, value } of fromBinary(StatusSchema, packed).details) {
      out.details.push({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value });
    }
  }
  return out;
}
