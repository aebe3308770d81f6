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

/**
 * Something that is counted up. Take `labels(…)` of it once, not for each count: a count on a child costs a quarter of a
 * microsecond. What is counted more often than that may be added up elsewhere, and brought in by `collect` at each scrape.
 */
export const counter = <L extends string = never>({
  name,
  help,
  labels = [],
  collect,
}: Named<L> & { readonly collect?: (counter: Counter<L>) => void }): Counter<L> =>
  new Counter({
    name,
    help,
    labelNames: labels,
    ...(collect !== undefined && {
      collect() {
        collect(this);
      },
    }),
  });

/** A scrape waits this long for a gauge, and shows it as not known beyond. */
const collectMs = 1_500;

/**
 * Something that is so high now. `collect` is asked at each scrape: what it costs is paid then, and only then. Where it
 * fails, or takes longer than 1.5 s, the gauge shows nothing (NaN where it has no labels): an old number would be a lie.
 */
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
        return inTime(collectMs, async () => collect(this)).catch(() => {
          // Whatever is away has an alert of its own; the other metrics of this scrape are still worth having.
          this.reset();
          if (labels.length === 0) this.set(Number.NaN);
        });
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
 * Milliseconds. Each look wakes an idle process: at 10, the default, half a per cent of a core for each. What is told contains it: at 100 the
 * alert of a late event loop (`infra/grafana/rules.yml`) would always fire.
 */
const eventLoopMonitoringPrecision = 20;

/**
 * Shows this process's metrics at /metrics, in Prometheus' text form. It has a port of its own, which no client reaches:
 * what they tell is nobody's business outside.
 */
export async function serveMetrics({ host, port }: { host: string; port: number }) {
  collectDefaultMetrics({ eventLoopMonitoringPrecision });
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

/** What comes of some work, if it does in time; `late` is what it fails with otherwise. */
export async function inTime<T>(
  ms: number,
  work: () => Promise<T>,
  late = (): Error => new Error(`no answer within ${ms} ms`),
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(late()), ms);
  });
  try {
    return await Promise.race([work(), over]);
  } finally {
    clearTimeout(timer);
  }
}
