import { type Code, ConnectError } from "@connectrpc/connect";
import { counter, histogram } from "#lib/mesh/metrics.ts";
import { countsOf } from "#lib/mesh/rpc-metrics.ts";
import type { Rpc } from "./rpc.ts";

export type DoorName = "json" | "connect" | "grpcweb" | "grpc";

const seconds = histogram({
  name: "skein_http_seconds",
  help: "How long a client's request took here, from its head to its answer, also where it was refused.",
  labels: ["rpc", "door"],
});
const total = counter({
  name: "skein_http_total",
  help: "Clients' requests by their code as gRPC names it, whatever the door; OK where there was no error.",
  labels: ["rpc", "door", "code"],
});

/** What is asked under no name of ours. */
const unknown = "other";

const children = new Map<string, { seconds: { observe(value: number): void }; counts: (code?: Code) => void }>();

/** Counts an answer of a door, and how long it was under way since `sinceMs` (`performance.now()`). */
export function answered(rpc: Rpc | undefined, door: DoorName, code: Code | undefined, sinceMs: number): void {
  const name = rpc?.name ?? unknown;
  const key = `${door} ${name}`;
  const child = children.get(key) ?? {
    seconds: seconds.labels(name, door),
    counts: countsOf((one) => total.labels(name, door, one)),
  };
  children.set(key, child);
  child.seconds.observe((performance.now() - sinceMs) / 1000);
  child.counts(code);
}

export const codeOf = (thrown: unknown, fallback: Code): Code => ConnectError.from(thrown, fallback).code;

/** Which of the three protocols a request by the name of an RPC speaks. */
export function doorOf(contentType: string | undefined): DoorName {
  if (!/^application\/grpc/i.test(contentType ?? "")) return "connect";
  return /^application\/grpc-web/i.test(contentType ?? "") ? "grpcweb" : "grpc";
}
