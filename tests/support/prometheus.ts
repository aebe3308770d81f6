import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const grafana = path.resolve(import.meta.dirname, "../../infra/grafana");
const askMs = 5_000;

/** A rule as Prometheus has read it. */
export type Rule = {
  readonly type: "alerting" | "recording";
  readonly name: string;
  readonly query: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};
export type Alert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: "pending" | "firing";
};
type Vector = { readonly result: readonly { readonly metric: Readonly<Record<string, string>> }[] };

/** A Prometheus that runs, by its HTTP API. */
export function prometheusAt(url: string) {
  async function get<T>(route: string): Promise<T> {
    const response = await fetch(`${url}/api/v1/${route}`, { signal: AbortSignal.timeout(askMs) });
    const { data, error } = (await response.json()) as { data: T; error?: string };
    if (!response.ok) throw new Error(`${route}: ${error}`);
    return data;
  }
  return {
    /** The number of series that an expression has now; throws where it is none. */
    series: async (expr: string): Promise<number> =>
      (await get<Vector>(`query?query=${encodeURIComponent(expr)}`)).result.length,
    alerts: async (): Promise<readonly Alert[]> => (await get<{ alerts: Alert[] }>("alerts")).alerts,
    rules: async (): Promise<readonly Rule[]> =>
      (await get<{ groups: { rules: Rule[] }[] }>("rules")).groups.flatMap(({ rules }) => rules),
  };
}

/**
 * The project's rules with their times shortened, so that five minutes pass in five seconds: windows and `for`, and nothing
 * else. Thresholds are the ones that are shipped.
 */
export const shortRules = (): string =>
  readFileSync(path.join(grafana, "rules.yml"), "utf8")
    .replaceAll("[5m]", "[5s]")
    .replaceAll(/for: [1-9]\d*[ms]/g, "for: 1s");

/** A panel's query, with what a viewer would choose filled in. */
export type Panel = { readonly dashboard: string; readonly title: string; readonly expr: string };

type Dashboard = { title: string; panels: { title: string; targets: { expr: string }[] }[] };

export function panels(): Panel[] {
  const dir = path.join(grafana, "dashboards");
  return readdirSync(dir).flatMap((file) => {
    const { title: dashboard, panels: shown } = JSON.parse(readFileSync(path.join(dir, file), "utf8")) as Dashboard;
    return shown.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ dashboard, title, expr: expr.replaceAll("$__rate_interval", "10s") })).map(filled),
    );
  });
}

const filled = ({ expr, ...panel }: Panel): Panel => ({ ...panel, expr: expr.replaceAll(/\$(method|job)/g, ".+") });

/** Every metric an expression names; what it groups by are labels. */
export const metricsIn = (expr: string): string[] => [
  ...new Set(
    expr.replaceAll(/\bby \([^)]*\)/g, "").match(/\b(?:[a-z]+:)?(?:skein|nodejs|process|envoy)_\w+(?::\w+)?|\bup\b/g) ??
      [],
  ),
];

/** Every metric a process shows, by the names that queries use. */
export async function metricsOf(metricsUrl: string): Promise<string[]> {
  const text = await (await fetch(metricsUrl, { signal: AbortSignal.timeout(askMs) })).text();
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = "", type]) =>
    type === "histogram" || type === "summary" ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
}
