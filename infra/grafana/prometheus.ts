//! Prometheus' configuration, built from where the processes are. JSON, which Prometheus reads as YAML.

/** A process that shows metrics: its kind (`feed`), its own name (`feed-1`), and where. */
export type Target = { readonly job: string; readonly instance: string; readonly url: string };

/**
 * What is kept of Envoy, by its own names: traffic, retries, ejections and live hosts of each cluster, and what clients
 * do. Envoy alone has some 2,800 series otherwise, most of them for ever 0.
 */
const envoyStats =
  "^(cluster\\.[a-z-]+\\.(upstream_rq_(active|timeout|retry|retry_success|retry_overflow|pending_overflow|[1-5]xx)|" +
  "membership_(healthy|total)|outlier_detection\\.ejections_active)|" +
  "http\\.(edge|mesh)\\.downstream_(rq_active|rq_[1-5]xx|cx_active))$";

/** A scrape that takes longer has failed. Shorter than every interval, and longer than a gauge is waited for. */
const scrapeTimeoutMaxSeconds = 10;

/** Scrapes every target, and weighs `rules` as often. A target's path tells what it is: Envoy has one of its own. */
export function prometheusConfig({
  targets,
  rules,
  intervalSeconds = 15,
}: {
  targets: readonly Target[];
  /** A file of rules, by its absolute path. */
  rules: string;
  intervalSeconds?: number;
}): object {
  const jobs = [...new Set(targets.map(({ job }) => job))];
  return {
    global: {
      scrape_interval: `${intervalSeconds}s`,
      evaluation_interval: `${intervalSeconds}s`,
      scrape_timeout: `${Math.min(intervalSeconds, scrapeTimeoutMaxSeconds)}s`,
    },
    rule_files: [rules],
    scrape_configs: jobs.map((job) => {
      const own = targets.filter((target) => target.job === job);
      const { pathname } = new URL(own[0]?.url ?? "");
      return {
        job_name: job,
        metrics_path: pathname,
        ...(pathname.startsWith("/stats") && { params: { filter: [envoyStats] } }),
        static_configs: own.map(({ instance, url }) => ({ targets: [new URL(url).host], labels: { instance } })),
      };
    }),
  };
}
