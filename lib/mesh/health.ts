import type { ServiceImpl } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import { type Health, HealthCheckResponse_ServingStatus } from "#gen/grpc/health/v1/health_pb.ts";
import { problem } from "./errors.ts";
import type { Log } from "./log.ts";

const everyMs = 1_000;
/** A probe that takes longer has failed: the answer must be there before Envoy's next question. */
const probeMs = 900;

/**
 * Real health: `ready` asks what the process cannot work without (its database), once a second. Redis or NATS down is
 * degraded, not dead. Draining answers NOT_SERVING at once, which is how Envoy learns to stop sending.
 */
export function createHealth(ready: () => Promise<unknown>, log: Log) {
  let serving = false;
  let draining = false;
  const probe = async () => {
    const fine = await Promise.race([ready().then(() => true), late()]).catch(() => false);
    if (fine !== serving) log.warn(fine ? "serving" : "not serving");
    serving = fine;
  };
  const timer = setInterval(() => void probe(), everyMs);

  const impl: Pick<ServiceImpl<typeof Health>, "check" | "list" | "watch"> = {
    check: () => ({ status: status() }),
    list: () => ({ statuses: { "": { status: status() } } }),
    // biome-ignore lint/correctness/useYield: the contract has a stream; nobody here watches, they ask.
    watch: async function* () {
      throw problem(Code.Unimplemented, "unimplemented", "ask Check");
    },
  };
  const status = () =>
    serving && !draining ? HealthCheckResponse_ServingStatus.SERVING : HealthCheckResponse_ServingStatus.NOT_SERVING;

  return {
    impl,
    probe,
    drain: () => {
      draining = true;
    },
    close: () => clearInterval(timer),
  };
}

const late = () => new Promise<false>((done) => setTimeout(() => done(false), probeMs).unref());
