import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { create, type DescMessage, type MessageInitShape, toBinary, toJson } from "@bufbuild/protobuf";
import { StatusSchema } from "#gen/google/rpc/status_pb.ts";
import { ExportTraceServiceResponseSchema } from "#gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { bodyMaxBytes, OtlpError, readSpans, type Span } from "./spans.ts";

/** Bodies held at once, 4 MiB each at most; further senders are told to come again, and their SDKs do. */
const bodiesMax = 8;
const retryAfterSeconds = 1;
/** https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
const invalidArgument = 3;
const unavailable = 14;

/**
 * The receiving end of OTLP/HTTP: POST /v1/traces, protobuf or JSON, gzip or plain. Answers in the type that was sent:
 * 200, with a partial success where spans have no ids; 400, 413 and 415 for what can never be taken; 503 to try again.
 */
export function otlpReceiver({
  keep,
  failed,
}: {
  keep: (spans: readonly Span[]) => void;
  failed: (error: unknown) => void;
}): RequestListener {
  let bodies = 0;
  return async (req, res) => {
    if (req.url !== "/v1/traces") return void res.writeHead(404).end();
    if (req.method !== "POST") return void res.writeHead(405, { allow: "POST" }).end();
    if (bodies >= bodiesMax) return refuse(req, res, { status: 503, message: "too many exports at once" });
    bodies++;
    try {
      const { spans, rejected } = readSpans(req.headers["content-type"], await bodyOf(req));
      keep(spans);
      const told = { rejectedSpans: BigInt(rejected), errorMessage: "spans without valid ids" };
      answer(req, res, 200, ExportTraceServiceResponseSchema, rejected === 0 ? {} : { partialSuccess: told });
    } catch (error) {
      if (req.destroyed && !req.complete) return;
      if (error instanceof OtlpError) return refuse(req, res, error);
      failed(error);
      refuse(req, res, { status: 503, message: "the spans cannot be kept" });
    } finally {
      bodies--;
    }
  };
}

async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  const tooLarge = () => new OtlpError(413, `more than ${bodyMaxBytes} bytes`);
  if (Number(req.headers["content-length"] ?? 0) > bodyMaxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bodyMaxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const encoding = req.headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return body;
  if (encoding !== "gzip") throw new OtlpError(415, `content-encoding ${encoding} is neither gzip nor identity`);
  return unzip(body, { maxOutputLength: bodyMaxBytes }).catch((cause: Error & { code?: string }) => {
    throw cause.code === "ERR_BUFFER_TOO_LARGE" ? tooLarge() : new OtlpError(400, "the body is not gzip", cause);
  });
}

const unzip = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  { status, message }: { status: number; message: string },
): void {
  if (status === 503) res.setHeader("retry-after", String(retryAfterSeconds));
  // What is left of the body is not read.
  if (!req.complete) res.setHeader("connection", "close");
  answer(req, res, status, StatusSchema, { code: status === 503 ? unavailable : invalidArgument, message });
}

function answer<Desc extends DescMessage>(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  schema: Desc,
  init: MessageInitShape<Desc>,
): void {
  const isJson = req.headers["content-type"]?.startsWith("application/json") === true;
  const message = create(schema, init);
  const body = isJson ? JSON.stringify(toJson(schema, message)) : toBinary(schema, message);
  res.writeHead(status, { "content-type": isJson ? "application/json" : "application/x-protobuf" }).end(body);
}
