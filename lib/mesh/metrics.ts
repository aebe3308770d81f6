import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { Counter, collectDefaultMetrics, Gauge, Histogram, register } from "prom-client";

type Named<L extends string> = {
  readonly name: `skein_${string}`;
  readonly help: string;
  readonly labels?: readonly L[];
};

/** Seconds that tell a cache hit from a round trip, and a slow answer from a deadline: 1 ms to 10 s. */
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Something that is counted up. Take `labels(…)` of it once, not for each count: looking it up costs more than counting. */
export const counter = <L extends string = never>({ name, help, labels = [] }: Named<L>): Counter<L> =>
  new Counter({ name, help, labelNames: labels });

/** Something that is so high now. `collect` is asked at each scrape: what it costs is paid then, and only then. */
export const gauge = <L extends string = never>({
  name,
  help,
  labels = [],
  collect,
}: Named<L> & { readonly collect?: (gauge: Gauge<L>) => void | Promise<void> }): Gauge<L> =>
  new Gauge({
    name,
    help,
    labelNames: labels,
    ...(collect !== undefined && {
      collect() {
        return collect(this);
      },
    }),
  });

/** How long something takes, in seconds. */
export const histogram = <L extends string = never>({
  name,
  help,
  labels = [],
  buckets = secondsBuckets,
}: Named<L> & { readonly buckets?: readonly number[] }): Histogram<L> =>
  new Histogram({ name, help, labelNames: labels, buckets: [...buckets] });

/**
 * Shows this process's metrics at /metrics, in Prometheus' text form. It has a port of its own, which no client reaches:
 * what they tell is nobody's business outside.
 */
export async function serveMetrics({ host, port }: { host: string; port: number }) {
  collectDefaultMetrics();
  const server = createServer((req, res) => {
    if (req.url !== "/metrics") return void res.writeHead(404).end();
    register.metrics().then(
      (text) => res.writeHead(200, { "content-type": register.contentType }).end(text),
      () => res.writeHead(500).end(),
    );
  });
  server.listen(port, host);
  await new Promise<void>((done, fail) => server.once("listening", done).once("error", fail));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections();
      return promisify(server.close.bind(server))();
    },
  };
}
