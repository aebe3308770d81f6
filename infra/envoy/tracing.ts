import { extension } from "./typed.ts";

/**
 * The edge begins traces and decides which are kept: that many percent, and those that come from somebody who traces
 * already. Whether anybody is believed to do so, and not only to fill the store, is up to `filters.ts`.
 */
export const rootTracing = (sampledPercent: number): object => tracing("envoy-edge", ofParent(ofAll(sampledPercent)));

/** The mesh goes on with what it is handed, kept or not, and begins no trace that is kept. */
export const innerTracing = (): object => tracing("envoy-mesh", ofParent(ofAll(0)));

const ofParent = (otherwise: object): object =>
  extension(
    "envoy.tracers.opentelemetry.samplers.parent_based",
    "envoy.extensions.tracers.opentelemetry.samplers.v3.ParentBasedSamplerConfig",
    { wrapped_sampler: otherwise },
  );

/** Decides by the trace's id. */
const ofAll = (percent: number): object =>
  extension(
    "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
    "envoy.extensions.tracers.opentelemetry.samplers.v3.TraceIdRatioBasedSamplerConfig",
    { sampling_percentage: { numerator: Math.round(percent * 100), denominator: "TEN_THOUSAND" } },
  );

/** What Envoy tells of its own accord and may not: paths hold names, and the others say who and where somebody is. */
const withheld = ["http.url", "user_agent", "peer.address"];

/** Envoy's own dice let everything through, so that the sampler alone decides. */
const tracing = (service: string, sampler: object): object => ({
  tracing: {
    spawn_upstream_span: true,
    random_sampling: { value: 100 },
    custom_tags: withheld.map((tag) => ({ tag, literal: { value: "withheld" } })),
    provider: extension("envoy.tracers.opentelemetry", "envoy.config.trace.v3.OpenTelemetryConfig", {
      service_name: service,
      http_service: { http_uri: { uri: "http://otlp/v1/traces", cluster: "otlp", timeout: "1s" } },
      sampler,
    }),
  },
});
