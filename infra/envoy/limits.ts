//! Every number that Envoy holds somebody to, with its reason. The test of the limits reads Envoy's own configuration.

/** Longer than any honest client needs to send its headers; shorter than a slow-loris likes. */
export const headersTimeout = "10s";
/** The whole request with its body. An upload goes on where one request ended. */
export const requestTimeout = "30s";
/** The answer to an upload, once its body is there: the service waits 20 s for what becomes of it. */
export const uploadTimeout = "40s";
/** A stream on which nothing moves. */
export const streamIdleTimeout = "60s";
/** A client's connection without a request. */
export const downstreamIdleTimeout = "300s";
/** Less than the 75 s that our Node servers keep a connection: whoever closes second must be the server. */
export const upstreamIdleTimeout = "60s";
export const connectTimeout = "0.5s";

/**
 * Per cent of several replicas that must be healthy; with fewer, so with none, all are tried. On a stalled machine one that
 * works may be held for ill while the other is dead, and a try is then worth more than a refusal. A lone replica is not
 * tried: 503 at once is better than a wait on it.
 */
export const healthyPercentMin = { several: 1, lone: 0 };

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
export const pendingMax = 500;
export const inFlightMax = 500;

/** Share of the calls in flight that may be retries. The default (3 at a time) drops retries without a word. */
export const retryBudgetPercent = 20;
/**
 * Retries that are always allowed. With the back-off they bound what an outage costs; measured, 200 calls/s with both
 * replicas refusing, attempts a call: 8 at 200 ms 1.25, 4 at 100 ms 1.27, 8 at 100 ms 1.5, 32 at 100 ms 2.9. More calls
 * than these may die at once with a replica (2 to 20 at 1,000 calls/s): those are sent once more by their callers
 * (lib/mesh/transport.ts), and none was lost in five such kills.
 */
export const meshRetriesAlways = 8;
export const meshBackOff = { base_interval: "0.2s", max_interval: "1s" };
/** The edge repeats only what reached nobody, or was cut off and may be repeated, so it may repeat all that waits for a connection. */
export const edgeRetriesAlways = 100;
/** Attempts a call that an outage of every replica may cost, at 200 calls a second; the test of the replicas measures it. */
export const outageAttemptsMax = 1.5;
export const meshRetriesMax = 1;
export const edgeRetriesMax = 1;
export const edgeBackOff = { base_interval: "0.025s", max_interval: "0.25s" };
/** Under one half, so that a second try fits where the first one hung. */
export const perTryShare = 0.45;

/** Two misses: a crashed or stopped replica is out after 2 to 3 s, a long garbage collection is forgiven. */
export const healthTimeout = "1s";
export const healthInterval = "1s";
export const unhealthyAfter = 2;

/**
 * Failures to connect, and tries out of time, in a row. At 3 the survivor of a killed replica, slow under all of the
 * load, was ejected too: 274 calls found no healthy replica in ten kills at
 * 100 requests/s on a machine with other work. More than the budget's eight would cost calls when a replica dies.
 */
export const unreachedMax = 5;
export const ejectedPercentMax = 50;
/**
 * Times how often it was ejected before: one that was killed and is back serves again at once, and one that says it
 * serves and fails its calls is away longer each time.
 */
export const ejectionTime = "1s";
export const ejectionCheck = "0.5s";
export const ejectionTimeMax = "30s";

/** Of the requests that come in, so many begin a trace that is kept. */
export const sampledPercent = 1;

/** What counts as an answer worth compressing; below, the header costs more than it saves. */
export const compressBytesMin = 860;
