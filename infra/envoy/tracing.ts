import { extension } from "./typed.ts";

/** The edge decides by itself which traces are kept: a client's sampled flag would let it fill the store. */
export const rootTracing = (sampledPercent: number): object => tracing("envoy-edge", ofAll(sampledPercent));

/** The mesh goes on with what it is handed, kept or not, and begins no trace that is kept. */
export const innerTracing = (): object =>
  tracing(
    "envoy-mesh",
    extension(
      "envoy.tracers.opentelemetry.samplers.parent_based",
      "envoy.extensions.tracers.opentelemetry.samplers.v3.ParentBasedSamplerConfig",
      { wrapped_sampler: ofAll(0) },
    ),
  );

/** Decides by the trace's id, whatever the caller's flag says. */
const ofAll = (percent: number): object =>
  extension(
    "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
    "envoy.extensions.tracers.opentelemetry.samplers.v3.TraceIdRatioBasedSamplerConfig",
    { sampling_percentage: { numerator: Math.round(percent * 100), denominator: "TEN_THOUSAND" } },
  );

/** Envoy's own dice let everything through, so that the sampler alone decides. */
const tracing = (service: string, sampler: object): object => ({
  tracing: {
    spawn_upstream_span: true,
    random_sampling: { value: 100 },
    provider: extension("envoy.tracers.opentelemetry", "envoy.config.trace.v3.OpenTelemetryConfig", {
      service_name: service,
      http_service: { http_uri: { uri: "http://otlp/v1/traces", cluster: "otlp", timeout: "1s" } },
      sampler,
    }),
  },
});
