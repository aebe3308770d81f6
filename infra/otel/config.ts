/** The trace store's settings. */
export const config = {
  /** Its name in its own log. */
  instance: process.env.INSTANCE || "traces",
  /** What it listens on. */
  host: process.env.HOST || "127.0.0.1",
  /** Spans come in here: OTLP over HTTP. */
  otlpPort: Number(process.env.OTLP_PORT || 4318),
  /** The page and the query API. */
  queryPort: Number(process.env.QUERY_PORT || 16_686),
  /** Where its two files are. */
  dir: process.env.TRACES_DIR || ".skein/traces",
};
