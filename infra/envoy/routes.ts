import { RetryClass } from "#gen/skein/options/v1/options_pb.ts";
import * as limits from "./limits.ts";
import type { HttpDoor, Rpc } from "./rpcs.ts";
import { extension } from "./typed.ts";

/** One route for each RPC of the mesh, by its exact path. Anything else is answered UNIMPLEMENTED by Envoy. */
export const meshRoutes = (rpcs: readonly Rpc[]): object[] =>
  rpcs.map((rpc) => ({ match: { path: rpc.path }, route: meshRoute(rpc) }));

function meshRoute({ noun, policy, streaming }: Rpc): object {
  const whole = seconds(policy.timeoutMs);
  return {
    cluster: noun,
    // With max_stream_duration Envoy counts the caller's grpc-timeout, up to the policy's, and answers DEADLINE_EXCEEDED.
    // The route's own timeout would answer UNAVAILABLE, which invites the caller to try again.
    timeout: "0s",
    max_stream_duration: { max_stream_duration: whole, grpc_timeout_header_max: whole },
    ...(streaming ? { idle_timeout: limits.streamIdleTimeout } : {}),
    retry_policy: {
      ...(policy.retry === RetryClass.UNAVAILABLE ? repeatable : unprocessed),
      // A stream may take as long as it moves; a call that must not be repeated has one try and all the time.
      ...(policy.retry === RetryClass.UNAVAILABLE && !streaming
        ? { per_try_timeout: seconds(policy.timeoutMs * limits.perTryShare) }
        : {}),
    },
  };
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

/** The JSON doors, most literal first, and then a route for the rest: the BFF says 404 and 405 itself. */
export function edgeRoutes(rpcs: readonly Rpc[], cluster: string): object[] {
  const doors = rpcs.flatMap((rpc) => rpc.http.map((door) => ({ ...door, policy: rpc.policy })));
  doors.sort((a, b) => rank(a.template).localeCompare(rank(b.template)));
  return [
    ...doors.map(({ policy, ...door }) => ({
      match: doorMatch(door),
      route: { cluster, timeout: seconds(policy.timeoutMs), ...edgeRetry(policy.retry) },
    })),
    { match: { prefix: "/" }, route: { cluster, timeout: "5s", ...edgeRetry(RetryClass.UNPROCESSED) } },
  ];
}

/** A BFF that died in the middle is seen as a reset; its 503 is shedding, or the mesh's last word, and is final. */
function edgeRetry(retry: RetryClass): object {
  const retryOn = retry === RetryClass.UNAVAILABLE ? `${neverSent},reset` : neverSent;
  const bounds = { num_retries: limits.edgeRetriesMax, retry_back_off: limits.edgeBackOff };
  return { retry_policy: { retry_on: retryOn, ...bounds, ...elsewhere } };
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
