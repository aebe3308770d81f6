import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import { type Status, StatusSchema } from "#gen/google/rpc/status_pb.ts";

/** Where gRPC carries error details: https://grpc.io/docs/guides/error/#richer-error-model. */
const detailsKey = "grpc-status-details-bin";

/** A trailer: the callee kept its span though the trace is not sampled. */
export const keptKey = "skein-kept";

/** A ConnectError as it is sent, with its details. A message from INTERNAL up stays here: it could tell too much. */
export function toStatusMessage(err: ConnectError): Status {
  const message = err.code === Code.Internal || err.code === Code.Unknown ? "internal" : err.rawMessage;
  const details = err.details.map((detail) => {
    const [typeName, value] =
      "desc" in detail
        ? [detail.desc.typeName, toBinary(detail.desc, create(detail.desc, detail.value))]
        : [detail.type, detail.value];
    return create(AnySchema, { typeUrl: `type.googleapis.com/${typeName}`, value });
  });
  return create(StatusSchema, { code: err.code, message, details });
}

/** The same as grpc-js sends it. */
export function toStatus(err: ConnectError): Partial<StatusObject> {
  const metadata = new Metadata();
  const sent = toStatusMessage(err);
  if (sent.details.length > 0) metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, sent)));
  return { code: sent.code, details: sent.message, metadata };
}

/** Whether whoever was asked could not be reached. */
export const isUnavailable = (reason: unknown): boolean =>
  reason instanceof ConnectError && reason.code === Code.Unavailable;

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
  const [packed] = err.metadata?.get(detailsKey) ?? [];
  const { details } = fromBinary(StatusSchema, packed instanceof Buffer ? packed : new Uint8Array());
  return fromStatusMessage({ code: err.code as number, message: err.details, details }, err);
}

/** What `toStatusMessage` wrote. */
export function fromStatusMessage(
  { code, message, details }: Pick<Status, "code" | "message" | "details">,
  cause?: unknown,
): ConnectError {
  const out = new ConnectError(message, code in Code ? code : Code.Unknown, undefined, undefined, cause);
  for (const { typeUrl, value } of details) {
    out.details.push({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value });
  }
  return out;
}
