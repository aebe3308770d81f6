import type { DescMethod } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { counter, histogram } from "./metrics.ts";

const serverSeconds = histogram({
  name: "skein_rpc_server_seconds",
  help: "How long an RPC took in the service that answered it, by the caller's signed name.",
  labels: ["method", "caller"],
});
const serverTotal = counter({
  name: "skein_rpc_server_total",
  help: "RPCs answered, by their code as gRPC names it; OK where there was no error.",
  labels: ["method", "caller", "code"],
});
const clientTotal = counter({
  name: "skein_rpc_client_total",
  help: "RPCs asked of other services, by what came back; a call that was sent twice counts as two.",
  labels: ["method", "code"],
});

/**
 * Callers with a series of their own; further ones are `other`. A caller's name is signed with the deployment's key, so
 * it is one of ours, and a deployment has fewer.
 */
const callersMax = 16;
const callers = new Set<string>();
const other = "other";

/** `feed.ListHomeFeed`, whichever service's it is: the noun of its package, and its name. */
const methodLabel = ({ parent, name }: DescMethod): string => `${parent.typeName.split(".").at(-3)}.${name}`;

/** A code as a label; OK where there was no error. */
const codeLabel = (code: Code | undefined): string => (code === undefined ? "OK" : (Code[code] ?? "Unknown"));

/** Counts the answers of one RPC: who asked, what came of it, and since when (`performance.now()`) it was under way. */
export function servedRpc(method: DescMethod): (caller: string, code: Code | undefined, sinceMs: number) => void {
  const label = methodLabel(method);
  const children = new Map<string, ReturnType<typeof childrenOf>>();
  const childrenOf = (caller: string) => ({
    seconds: serverSeconds.labels(label, caller),
    counts: countsOf((code) => serverTotal.labels(label, caller, code)),
  });
  return (caller, code, sinceMs) => {
    const name = callerLabel(caller);
    const child = children.get(name) ?? childrenOf(name);
    children.set(name, child);
    child.seconds.observe((performance.now() - sinceMs) / 1000);
    child.counts(code);
  };
}

/** Counts the calls of one RPC of somebody else's. */
export const calledRpc = (method: DescMethod): ((code: Code | undefined) => void) => {
  const label = methodLabel(method);
  return countsOf((code) => clientTotal.labels(label, code));
};

/** A counter for each code, made when it is first needed: most methods know three of the seventeen. */
export function countsOf(childOf: (code: string) => { inc(): void }): (code: Code | undefined) => void {
  const children: { inc(): void }[] = [];
  return (code) => {
    const at = code ?? 0;
    children[at] ??= childOf(codeLabel(code));
    children[at].inc();
  };
}

function callerLabel(caller: string): string {
  if (callers.has(caller)) return caller;
  if (caller === "" || callers.size >= callersMax) return other;
  callers.add(caller);
  return caller;
}
