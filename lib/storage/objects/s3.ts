import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { unavailable } from "#lib/mesh/errors.ts";
import { listMax, mustBeKey, type Objects, type ObjectsConfig } from "./object.ts";

/** Tries of one request: the store's own errors pass in a moment. */
const triesMax = 3;
const connectMs = 1_000;
/** A request that moves nothing for so long. */
const idleMs = 10_000;

/** Objects in a bucket of a store that speaks S3. UNAVAILABLE where it does not answer, or refuses. */
export function s3Objects({ s3Endpoint, s3Region }: Pick<ObjectsConfig, "s3Endpoint" | "s3Region">): Objects {
  const url = new URL(s3Endpoint);
  const bucket = decodeURIComponent(url.pathname.slice(1));
  if (bucket === "" || url.username === "") throw new Error("S3_ENDPOINT is not https://key:secret@host/bucket");
  const client = new S3Client({
    endpoint: `${url.protocol}//${url.host}`,
    region: s3Region,
    credentials: {
      accessKeyId: decodeURIComponent(url.username),
      secretAccessKey: decodeURIComponent(url.password),
    },
    // The bucket in the path: stores on an address of their own have no name for each bucket.
    forcePathStyle: true,
    maxAttempts: triesMax,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: connectMs, requestTimeout: idleMs },
  });
  const at = (key: string) => ({ Bucket: bucket, Key: mustBeKey(key) });

  return {
    put: (key, file, sizeBytes) =>
      told(async () => {
        const body = { Body: createReadStream(file), ContentLength: sizeBytes };
        await client.send(new PutObjectCommand({ ...at(key), ...body }));
      }),

    get: (key, range) =>
      told(async () => {
        const asked = { ...at(key), ...(range && { Range: `bytes=${range.start}-${range.end}` }) };
        const found = await client.send(new GetObjectCommand(asked)).catch(absent);
        return found?.Body as Readable | undefined;
      }),

    head: (key) => told(async () => (await client.send(new HeadObjectCommand(at(key))).catch(absent))?.ContentLength),

    delete: (key) => told(async () => void (await client.send(new DeleteObjectCommand(at(key))))),

    list: (prefix) =>
      told(async () => {
        const listed = await client.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: listMax }),
        );
        return (listed.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key]));
      }),

    direct: (key, sizeBytes, seconds) =>
      getSignedUrl(client, new PutObjectCommand({ ...at(key), ContentLength: sizeBytes }), {
        expiresIn: seconds,
        signableHeaders: new Set(["host", "content-length"]),
      }),
  };
}

function absent(reason: unknown): undefined {
  const { $metadata, name } = reason as { $metadata?: { httpStatusCode?: number }; name?: string };
  if ($metadata?.httpStatusCode === 404 || name === "NoSuchKey" || name === "NotFound") return undefined;
  throw reason;
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (reason) {
    throw unavailable("the object store", reason);
  }
}
