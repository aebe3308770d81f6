//! Every number that Envoy holds somebody to, with its reason. The test of the limits reads Envoy's own configuration.

/** Longer than any honest client needs to send its headers; shorter than a slow-loris likes. */
export const headersTimeout = "10s";
/** The whole request with its body. Uploads get a route of their own. */
export const requestTimeout = "30s";
/** A stream on which nothing moves. */
export const streamIdleTimeout = "60s";
/** A client's connection without a request. */
export const downstreamIdleTimeout = "300s";
/** Less than the 75 s that our Node servers keep a connection: whoever closes second must be the server. */
export const upstreamIdleTimeout = "60s";
export const connectTimeout = "0.5s";

export const headersSizeMaxKb = 16;
export const headerCountMax = 100;
/** Of one client connection at the edge. */
export const edgeStreamsMax = 100;
/** A BFF holds one connection to the mesh and has all its calls in flight on it. */
export const meshStreamsMax = 1000;
export const streamWindowBytes = 65_536;
export const connectionWindowBytes = 1_048_576;
/** What one client connection may make the edge hold. */
export const edgeBufferBytes = 32_768;
/** The mesh holds a request until it may no longer be retried, so this is the largest request that is retried. */
export const meshBufferBytes = 1_048_576;
export const downstreamConnectionsMax = 8192;
/** Of Envoy's heap, after which it drops idle connections, big streams, and then all new requests. */
export const heapBytesMax = 512 * 1024 * 1024;

/** Requests a second and in a burst that one edge passes at all: beyond what its BFFs could answer. */
export const edgeRequestsPerSecond = 20_000;
export const edgeRequestsBurst = 40_000;

/** Waiting for a connection, and in flight, towards one service. */
export const pendingMax = 100;
export const inFlightMax = 500;

/** Share of the calls in flight that may be retries. The default (3 at a time) drops retries without a word. */
export const retryBudgetPercent = 20;
/**
 * Retries that are always allowed: what is in flight on one of two replicas when it dies on a small machine. With the
 * back-off it also bounds what an outage costs. Measured, 200 calls/s with every replica refusing, attempts a call:
 * 8 at 100 ms 1.5, 8 at 25 ms 2.4, 32 at 25 ms 3.0. A replica killed at 1,000 calls/s costs 0 to 20 calls.
 */
export const meshRetriesAlways = 8;
export const meshBackOff = { base_interval: "0.1s", max_interval: "0.5s" };
/** The edge repeats only what reached nobody or is a GET cut off, so it may repeat all that waits for a connection. */
export const edgeRetriesAlways = 100;
export const meshRetriesMax = 2;
export const edgeRetriesMax = 1;
export const edgeBackOff = { base_interval: "0.025s", max_interval: "0.25s" };
/** Under one half, so that a second try fits where the first one hung. */
export const perTryShare = 0.45;

/** Two misses: a crashed or stopped replica is out after 2 to 3 s, a long garbage collection is forgiven. */
export const healthTimeout = "1s";
export const healthInterval = "1s";
export const unhealthyAfter = 2;

export const ejectedPercentMax = 50;
export const ejectionTime = "5s";
export const ejectionTimeMax = "30s";

/** Of the requests that come in, so many begin a trace that is kept. */
export const sampledPercent = 5;

/** What counts as an answer worth compressing; below, the header costs more than it saves. */
export const compressBytesMin = 860;
