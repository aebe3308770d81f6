//! What Envoy is told, read back from its configuration: the limits one by one, and a policy for each RPC.

import assert from "node:assert/strict";
import { test } from "node:test";
import { create, createFileRegistry } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  MethodDescriptorProtoSchema,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { edgeConfig, meshConfig } from "../config.ts";
import { templateRegex } from "../routes.ts";
import { policyGaps, rpcsOf, services } from "../rpcs.ts";

const at = (port: number) => ({ host: "127.0.0.1", port });
const nouns = [...new Set(rpcsOf(services).map(({ noun }) => noun))].filter((noun) => noun !== "api");
const edge = edgeConfig({ listen: at(1), admin: at(2), bff: [at(3)], bffGrpc: [at(4)] });
const mesh = meshConfig({ listen: at(1), admin: at(2), services: Object.fromEntries(nouns.map((n) => [n, [at(4)]])) });

const http = "static_resources.listeners.0.filter_chains.0.filters.0.typed_config";
const cluster = "static_resources.clusters.0";
const upstream = `${cluster}.typed_extension_protocol_options.envoy~extensions~upstreams~http~v3~HttpProtocolOptions`;

/** Path → value, at both doors. */
const everywhere: Record<string, unknown> = {
  [`${http}.request_headers_timeout`]: "10s",
  [`${http}.request_timeout`]: "30s",
  [`${http}.stream_idle_timeout`]: "60s",
  [`${http}.common_http_protocol_options.idle_timeout`]: "300s",
  [`${http}.common_http_protocol_options.max_headers_count`]: 100,
  [`${http}.common_http_protocol_options.headers_with_underscores_action`]: "REJECT_REQUEST",
  [`${http}.max_request_headers_kb`]: 16,
  [`${http}.normalize_path`]: true,
  [`${http}.merge_slashes`]: true,
  [`${http}.path_with_escaped_slashes_action`]: "REJECT_REQUEST",
  [`${http}.use_remote_address`]: true,
  [`${http}.xff_num_trusted_hops`]: 0,
  [`${http}.internal_address_config.cidr_ranges.length`]: 1,
  [`${http}.internal_address_config.cidr_ranges.0.address_prefix`]: "255.255.255.255",
  [`${http}.forward_client_cert_details`]: "SANITIZE",
  [`${http}.http2_protocol_options.initial_stream_window_size`]: 65_536,
  [`${http}.http2_protocol_options.initial_connection_window_size`]: 1_048_576,
  [`${http}.tracing`]: undefined,
  [`${http}.access_log`]: undefined,
  "static_resources.listeners.0.enable_reuse_port": false,
  "admin.address.socket_address.address": "127.0.0.1",
  "overload_manager.actions.1.name": "envoy.overload_actions.shrink_heap",
  "overload_manager.actions.1.triggers.0.threshold.value": 0.95,
  "overload_manager.actions.2.name": "envoy.overload_actions.reset_high_memory_stream",
  "overload_manager.actions.3.name": "envoy.overload_actions.stop_accepting_requests",
  "overload_manager.actions.3.triggers.0.threshold.value": 0.98,
  "overload_manager.resource_monitors.1.typed_config.max_active_downstream_connections": "8192",
  [`${cluster}.connect_timeout`]: "0.5s",
  [`${cluster}.lb_policy`]: "LEAST_REQUEST",
  [`${cluster}.common_lb_config.healthy_panic_threshold.value`]: 0,
  [`${cluster}.common_lb_config.update_merge_window`]: "0s",
  [`${cluster}.close_connections_on_host_health_failure`]: true,
  [`${cluster}.circuit_breakers.thresholds.0.max_pending_requests`]: 500,
  [`${cluster}.circuit_breakers.thresholds.0.max_requests`]: 500,
  [`${cluster}.circuit_breakers.thresholds.0.retry_budget.budget_percent.value`]: 20,
  [`${cluster}.health_checks.0.interval`]: "1s",
  [`${cluster}.health_checks.0.no_traffic_interval`]: "1s",
  [`${cluster}.health_checks.0.healthy_threshold`]: 1,
  [`${cluster}.health_checks.0.initial_jitter`]: undefined,
  [`${cluster}.outlier_detection.interval`]: "0.5s",
  [`${cluster}.outlier_detection.base_ejection_time`]: "1s",
  [`${cluster}.outlier_detection.max_ejection_percent`]: 50,
  [`${cluster}.outlier_detection.successful_active_health_check_uneject_host`]: false,
  [`${cluster}.outlier_detection.enforcing_success_rate`]: 0,
  // Less than the 75 s of our Node servers.
  [`${upstream}.common_http_protocol_options.idle_timeout`]: "60s",
};

const atTheEdge: Record<string, unknown> = {
  "layered_runtime.layers.0.static_layer.overload~premature_reset_total_stream_count": 500,
  "layered_runtime.layers.0.static_layer.overload~premature_reset_min_stream_lifetime_seconds": 1,
  "layered_runtime.layers.0.static_layer.http~max_requests_per_io_cycle": 1,
  [`${http}.http2_protocol_options.max_concurrent_streams`]: 100,
  [`${http}.always_set_request_id_in_response`]: true,
  [`${http}.preserve_external_request_id`]: undefined,
  "static_resources.listeners.0.per_connection_buffer_limit_bytes": 32_768,
  [`${cluster}.per_connection_buffer_limit_bytes`]: 32_768,
  [`${cluster}.health_checks.0.http_health_check.path`]: "/healthz",
};

const inTheMesh: Record<string, unknown> = {
  [`${cluster}.outlier_detection.consecutive_gateway_failure`]: 3,
  [`${cluster}.outlier_detection.consecutive_5xx`]: 5,
  [`${cluster}.health_checks.0.grpc_health_check.service_name`]: undefined,
  [`${upstream}.explicit_http_config.http2_protocol_options.connection_keepalive.timeout`]: "5s",
};

/** The value at a dotted path, in which `~` stands for a dot of the name itself. */
const read = (from: unknown, dotted: string): unknown =>
  dotted.split(".").reduce((value, key) => Object(value)[key.replaceAll("~", ".")], from);

test("every limit is where it should be", () => {
  for (const [dotted, value] of Object.entries({ ...everywhere, ...atTheEdge })) {
    assert.deepEqual(read(edge, dotted), value, `edge ${dotted}`);
  }
  for (const [dotted, value] of Object.entries({ ...everywhere, ...inTheMesh })) {
    assert.deepEqual(read(mesh, dotted), value, `mesh ${dotted}`);
  }
});

test("where none of several is healthy all are tried; a lone replica is not", () => {
  const threshold = `${cluster}.common_lb_config.healthy_panic_threshold.value`;
  const two = [at(3), at(5)];
  const edgeOfTwo = edgeConfig({ listen: at(1), admin: at(2), bff: two, bffGrpc: two });
  const meshOfTwo = meshConfig({ listen: at(1), admin: at(2), services: { user: two } });
  assert.deepEqual(
    [edge, mesh, edgeOfTwo, meshOfTwo].map((config) => read(config, threshold)),
    [0, 0, 1, 1],
  );
});

test("the edge answers to its own names, a stranger's is 421", () => {
  const hosts = read(edge, `${http}.route_config.virtual_hosts`);
  assert.deepEqual(read(hosts, "0.domains"), ["localhost", "127.0.0.1", "[::1]"]);
  assert.equal(read(hosts, "1.routes.0.direct_response.status"), 421);
});

test("every route has a timeout of its own", () => {
  const routes = ["0.routes", "1.routes"].flatMap(
    (dotted) => read(edge, `${http}.route_config.virtual_hosts.${dotted}`) ?? [],
  );
  for (const route of routes) {
    if (read(route, "direct_response") !== undefined) continue;
    assert.match(String(read(route, "route.timeout")), /^\d+(\.\d+)?s$/);
    if (read(route, "route.timeout") !== "0s" || read(route, "match.prefix") !== undefined) continue;
    assert.match(String(read(route, "route.max_stream_duration.max_stream_duration")), /^[1-9]/);
  }
  const calls = [read(mesh, `${http}.route_config.virtual_hosts.0.routes`)].flat();
  assert.equal(calls.length, rpcsOf(services).filter(({ noun }) => noun !== "api").length);
  for (const route of calls) {
    const whole = read(route, "route.max_stream_duration.grpc_timeout_header_max");
    assert.match(String(whole), /^\d+(\.\d+)?s$/);
    assert.equal(read(route, "route.max_stream_duration.max_stream_duration"), whole);
  }
});

test("every RPC of the contracts has a whole policy", () => {
  assert.ok(services.length >= 7, "the contracts were not found");
  assert.deepEqual(services.flatMap((service) => service.methods).flatMap(policyGaps), []);
});

test("an RPC without a policy is reported", () => {
  const method = create(MethodDescriptorProtoSchema, {
    name: "Go",
    inputType: ".skein.x.v1.X",
    outputType: ".skein.x.v1.X",
  });
  const file = create(FileDescriptorProtoSchema, {
    name: "skein/x/v1/x.proto",
    package: "skein.x.v1",
    syntax: "proto3",
    messageType: [{ name: "X" }],
    service: [create(ServiceDescriptorProtoSchema, { name: "XService", method: [method] })],
  });
  const planted = createFileRegistry(file, () => undefined).getService("skein.x.v1.XService");
  assert.ok(planted !== undefined);
  const gaps = planted.methods.flatMap(policyGaps);
  assert.equal(gaps.length, 6);
  assert.equal(gaps[0], "/skein.x.v1.XService/Go leaves auth unspecified");
  assert.throws(() => rpcsOf([planted]), /leaves timeout_ms unspecified/);
});

test("a path template matches its paths and no others", () => {
  const cases: [template: string, path: string, matches: boolean][] = [
    ["/v1/users/{user}", "/v1/users/anna", true],
    ["/v1/users/{user}", "/v1/users/", false],
    ["/v1/users/{user}", "/v1/users/anna/posts", false],
    ["/v1/users/{user}/posts", "/v1/users/anna/posts", true],
    ["/v1/files/{name=**}", "/v1/files/a/b", true],
    ["/v1/{name=users/*}", "/v1/users/anna", true],
    ["/v1/{name=users/*}", "/v1/posts/anna", false],
    ["/v1/drafts/{draft}:publish", "/v1/drafts/1:publish", true],
    ["/v1.0/x", "/v1x0/x", false],
  ];
  for (const [template, path, matches] of cases) {
    assert.equal(new RegExp(`^(?:${templateRegex(template)})$`).test(path), matches, `${template} ${path}`);
  }
});
