/** What ends the export of spans; the last thing a process closes. */
export type Telemetry = { close(): Promise<void> };

/**
 * Sets OpenTelemetry up, once a process, where an OTLP address is given; without one nothing is loaded and spans cost
 * their ids only. No instrumentation: spans are made by hand (trace.ts). What is sampled was decided at the
 * edge: trace.ts begins spans below sampled parents only.
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
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
  const exporter = new OTLPTraceExporter({ url: new URL("/v1/traces", otlpUrl).href });
  const sdk = new NodeSDK({
    serviceName: name,
    autoDetectResources: false,
    instrumentations: [],
    traceExporter: exporter,
  });
  sdk.start();
  return { close: () => sdk.shutdown() };
}
