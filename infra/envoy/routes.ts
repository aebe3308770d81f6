import { Idempotency, RetryClass } from "#gen/skein/options/v1/options_pb.ts";
import * as limits from "./limits.ts";
import type { HttpDoor, Rpc } from "./rpcs.ts";
import { extension } from "./typed.ts";

/** One route for each RPC of the mesh, by its exact path. Anything else is answered UNIMPLEMENTED by Envoy. */
export const meshRoutes = (rpcs: readonly Rpc[]): object[] =>
  rpcs.map((rpc) => ({ match: { path: rpc.path }, route: meshRoute(rpc) }));

function meshRoute(rpc: Rpc): object {
  const { noun, policy, streaming } = rpc;
  return {
    cluster: noun,
    ...grpcTimeout(rpc),
    ...(streaming ? { idle_timeout: limits.streamIdleTimeout } : {}),
    retry_policy: { ...(policy.retry === RetryClass.UNAVAILABLE ? repeatable : unprocessed), ...tryTime(rpc) },
    ...hedge(rpc),
  };
}

/**
 * A stream may take as long as it moves; a call that must not be repeated has one try and all the time. So has one that sets
 * a state: its first run may still be under way, and end after somebody has set it back.
 */
function tryTime({ policy, streaming }: Rpc): object {
  const mayBeTwice = policy.retry === RetryClass.UNAVAILABLE && policy.idempotency !== Idempotency.STATE;
  return mayBeTwice && !streaming ? { per_try_timeout: seconds(policy.timeoutMs * limits.perTryShare) } : {};
}

/**
 * A read that is out of its first time is asked elsewhere too, and whoever answers first is heard: the first one may be slow
 * rather than dead, and what it has done so far is not thrown away.
 */
const hedge = (rpc: Rpc): object =>
  "per_try_timeout" in tryTime(rpc) && rpc.policy.idempotency === Idempotency.SAFE
    ? { hedge_policy: { hedge_on_per_try_timeout: true } }
    : {};

/**
 * With max_stream_duration Envoy counts the caller's grpc-timeout, up to the policy's, and answers DEADLINE_EXCEEDED. The
 * route's own timeout would answer UNAVAILABLE, which invites the caller to try again.
 */
function grpcTimeout({ policy }: Rpc): object {
  const whole = seconds(policy.timeoutMs);
  return { timeout: "0s", max_stream_duration: { max_stream_duration: whole, grpc_timeout_header_max: whole } };
}

const elsewhere = {
  retry_host_predicate: [
    extension(
      "envoy.retry_host_predicates.previous_hosts",
      "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    ),
  ],
  // A dead replica looks idle, so LEAST_REQUEST likes it: of two it is drawn three times in four. Three draws, the
  // usual advice, still send one retry in three back to it (seen); sixteen, one in a hundred.
  host_selection_retry_max_attempts: "16",
};

/** The call provably reached nobody. */
const neverSent = "connect-failure,refused-stream,reset-before-request";
const unprocessed = {
  retry_on: neverSent,
  num_retries: limits.meshRetriesMax,
  retry_back_off: limits.meshBackOff,
  ...elsewhere,
};
const repeatable = { ...unprocessed, retry_on: `${neverSent},unavailable,reset` };

/** Where the edge sends what: `http` speaks HTTP/1.1, `grpc` HTTP/2, to the same processes. */
type EdgeClusters = { readonly http: string; readonly grpc: string; readonly media?: string };

/**
 * Every public RPC by its exact path, gRPC to where trailers are spoken; then the JSON doors, most literal first; then what
 * no contract names: the BFF says 404, 405 and UNIMPLEMENTED itself.
 */
export function edgeRoutes(rpcs: readonly Rpc[], { http, grpc, media }: EdgeClusters): object[] {
  const doors = rpcs.flatMap((rpc) => rpc.http.map((door) => ({ ...door, rpc })));
  doors.sort((a, b) => rank(a.template).localeCompare(rank(b.template)));
  const other = { timeout: "5s", ...edgeRetry(undefined) };
  return [
    ...rpcs.flatMap((rpc) => [
      {
        match: { path: rpc.path, grpc: {} },
        route: { cluster: grpc, ...grpcTimeout(rpc), ...edgeRetry(rpc), ...hedge(rpc) },
      },
      { match: { path: rpc.path }, route: { cluster: http, ...httpTimeout(rpc), ...edgeRetry(rpc), ...hedge(rpc) } },
    ]),
    ...doors.map(({ rpc, ...door }) => ({
      match: doorMatch(door),
      route: { cluster: http, ...httpTimeout(rpc), ...edgeRetry(rpc), ...hedge(rpc) },
    })),
    // A conversation, over whichever protocol: it may take as long as it moves. Where reflection is off, the BFF says so.
    {
      match: { prefix: "/grpc.reflection." },
      route: { cluster: grpc, timeout: "0s", idle_timeout: limits.streamIdleTimeout, ...edgeRetry(undefined) },
    },
    ...(media === undefined ? [] : mediaRoutes(media)),
    // Only where a load test asked for it: its loader sends everything at once, and nothing twice.
    { match: { prefix: "/wrk2-api/" }, route: { cluster: http, ...other, timeout: "60s" } },
    { match: { prefix: "/", grpc: {} }, route: { cluster: grpc, ...other } },
    { match: { prefix: "/" }, route: { cluster: http, ...other } },
  ];
}

/**
 * Bytes, which go by the BFF. An upload is answered when it is processed; what of it arrived is kept, so its sender goes on and
 * nothing here sends it again. A download takes as long as it moves.
 */
const mediaRoutes = (cluster: string): object[] => [
  {
    match: { prefix: "/media/uploads/" },
    route: { cluster, timeout: limits.uploadTimeout, ...edgeRetry(undefined) },
  },
  {
    match: { prefix: "/media/" },
    route: { cluster, timeout: "0s", idle_timeout: limits.streamIdleTimeout, ...edgeRetry(undefined) },
  },
];

const httpTimeout = ({ policy }: Rpc): object => ({ timeout: seconds(policy.timeoutMs) });

/**
 * What reached nobody may be sent again. What the contract says is safe to repeat is, too, where the connection broke under
 * it or nothing came in its first time. An answer is an answer: no status is ever a reason, because the mesh has tried already and a BFF's 503 is shedding.
 */
function edgeRetry(rpc: Rpc | undefined): object {
  const retryOn = rpc?.policy.retry === RetryClass.UNAVAILABLE ? `${neverSent},reset` : neverSent;
  const bounds = { num_retries: limits.edgeRetriesMax, retry_back_off: limits.edgeBackOff };
  return { retry_policy: { retry_on: retryOn, ...bounds, ...(rpc && tryTime(rpc)), ...elsewhere } };
}

function doorMatch({ method, template }: HttpDoor): object {
  const methods = method === "GET" ? { safe_regex: { regex: "GET|HEAD" } } : { exact: method };
  const path = template.includes("{") ? { safe_regex: { regex: templateRegex(template) } } : { path: template };
  return { ...path, headers: [{ name: ":method", string_match: methods }] };
}

/** google.api.http's path template as a regular expression: `{x}` and `*` are one segment, `{x=**}` any number. */
export function templateRegex(template: string): string {
  const variable = /\{[\w.]+(?:=([^}]+))?\}/g;
  let regex = "";
  let end = 0;
  for (const match of template.matchAll(variable)) {
    regex += escaped(template.slice(end, match.index)) + segments(match[1] ?? "*");
    end = match.index + match[0].length;
  }
  return regex + escaped(template.slice(end));
}

const segments = (pattern: string): string =>
  pattern
    .split("/")
    .map((segment) => (segment === "**" ? ".+" : segment === "*" ? "[^/]+" : escaped(segment)))
    .join("/");

const escaped = (literal: string): string => literal.replace(/[.*+?^$()|[\]\\{}]/g, "\\$&");

/** Sorts `/v1/users/me` before `/v1/users/{user}` before `/v1/{name=**}`. */
const rank = (template: string): string =>
  template.replace(/\{[^}]*\*\*[^}]*\}/g, "\u{10fffe}").replace(/\{[^}]*\}/g, "\u{10fffd}");

const seconds = (ms: number): string => `${Math.round(ms) / 1000}s`;
