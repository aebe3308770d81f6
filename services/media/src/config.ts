import { need, serviceConfig, whole } from "#lib/mesh/config.ts";

export const config = {
  ...serviceConfig(process.env),
  /** HTTP/1.1, where bytes come and go; the edge sends /media/ here. 0 takes a free one. */
  httpPort: whole(process.env, "HTTP_PORT", 0),
  /** Where bytes lie on their way, and for good where S3_ENDPOINT is empty; then all replicas share it. */
  dir: need(process.env, "MEDIA_DIR"),
  /** A store that speaks S3, with its bucket as the path: https://key:secret@host/bucket. Empty: MEDIA_DIR. */
  s3Endpoint: process.env.S3_ENDPOINT ?? "",
  /** Its region; stores outside of AWS take any. */
  s3Region: process.env.S3_REGION ?? "us-east-1",
  /** MEDIA_DIR takes nothing more where less than this is free. */
  freeBytesMin: whole(process.env, "MEDIA_FREE_BYTES_MIN", 268_435_456),
  /** What one person may announce on one day (UTC). */
  dayBytesMax: whole(process.env, "MEDIA_DAY_BYTES_MAX", 1_073_741_824),
  /** What one person may have in all. */
  storedBytesMax: whole(process.env, "MEDIA_STORED_BYTES_MAX", 10_737_418_240),
  /** Uploads that nothing was made of are collected after this, whole or not. */
  orphanSeconds: whole(process.env, "MEDIA_ORPHAN_SECONDS", 86_400),
  /** Milliseconds that one request of an upload may send: less than the edge waits (30 s), so that what came is kept. */
  sendMs: whole(process.env, "MEDIA_SEND_MS", 25_000),
  /** Milliseconds between looks for what is to be collected, and for work that somebody left. */
  sweepMs: whole(process.env, "MEDIA_SWEEP_MS", 5_000),
  /** Networks that previews of links may be fetched from though they are not public: CIDR, with commas. Empty: the public network alone. */
  previewNetworks: process.env.PREVIEW_ALLOW_NETWORKS ?? "",
  /** Where ffmpeg is looked for. Without one videos have no posters. */
  path: process.env.PATH ?? "",
};
