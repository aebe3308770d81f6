import { ids } from "./span-ids.ts";

/** What ends the export of spans; the last thing a process closes. */
export type Telemetry = { close(): Promise<void> };

/** Spans that wait to be sent; more are dropped. At 500 bytes each, 2 MiB. */
const waitingMax = 4_096;
const batchMax = 512;
/** So long after a request its spans may be looked at. */
const sendEachMs = 1_000;
/** A collector that takes longer has lost the batch; it is not waited for by anything else. */
const sendMs = 2_000;

/**
 * Sets OpenTelemetry up, once a process, where an OTLP address is given; without one nothing is loaded and work costs
 * its ids only. No instrumentation: spans are made by hand (trace.ts). What is sampled was decided at the edge, so
 * everything that becomes a span is exported.
 */
export async function startTelemetry({
  name,
  otlpUrl,
}: {
  name: string;
  otlpUrl: string | undefined;
}): Promise<Telemetry> {
  if (otlpUrl === undefined) return { close: async () => {} };
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  const { AlwaysOnSampler, BatchSpanProcessor } = await import("@opentelemetry/sdk-trace");
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-proto");
  const { resourceFromAttributes } = await import("@opentelemetry/resources");
  const exporter = new OTLPTraceExporter({ url: new URL("/v1/traces", otlpUrl).href, timeoutMillis: sendMs });
  const sdk = new NodeSDK({
    // feed-1 and feed-2 are two instances of one service.
    resource: resourceFromAttributes({ "service.name": name.replace(/-\d+$/, ""), "service.instance.id": name }),
    autoDetectResources: false,
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
    sampler: new AlwaysOnSampler(),
    idGenerator: ids,
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: waitingMax,
        maxExportBatchSize: batchMax,
        scheduledDelayMillis: sendEachMs,
        exportTimeoutMillis: sendMs,
      }),
    ],
  });
  sdk.start();
  return { close: () => sdk.shutdown() };
}
