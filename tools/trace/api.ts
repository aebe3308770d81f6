import { fromJaeger, type JaegerTrace } from "../../infra/otel/jaeger.ts";
import type { Span } from "../../infra/otel/spans.ts";
import { exitCodes, LaunchFailure } from "../servers/failure.ts";

const answerTimeoutMs = 10_000;
/** Jaeger looks two days back where nothing is said, and keeps no more here. */
const lookbackMs = 48 * 3600 * 1000;
/** Clocks of other machines may be ahead of ours. */
const aheadMs = 60_000;

export type FoundTrace = {
  readonly traceId: string;
  readonly spans: readonly Span[];
  readonly warnings: readonly string[];
};
export type TraceApi = ReturnType<typeof traceApi>;

/** Jaeger's query API, of a Jaeger or of the project's own store. Where nobody answers the exit code is 3, "not running". */
export function traceApi(base: string) {
  async function get(path: string, query: Record<string, string> = {}): Promise<unknown> {
    const url = new URL(path, base);
    url.search = new URLSearchParams(query).toString();
    const response = await fetch(url, { signal: AbortSignal.timeout(answerTimeoutMs) }).catch((cause: unknown) => {
      const message = `no trace store answers at ${base}; npm run status shows what runs`;
      throw new LaunchFailure(message, { exitCode: exitCodes.notRunning, cause });
    });
    if (response.status === 404) return { data: null };
    if (response.ok) return response.json();
    throw new LaunchFailure(`the trace store answers ${response.status} to ${url.pathname}: ${await response.text()}`);
  }

  async function traces(path: string, query?: Record<string, string>): Promise<FoundTrace[]> {
    const { data } = (await get(path, query)) as { data: JaegerTrace[] | null };
    return (data ?? []).map((trace) => ({
      traceId: trace.traceID,
      spans: fromJaeger(trace),
      warnings: trace.warnings ?? [],
    }));
  }

  return {
    trace: async (traceId: string): Promise<FoundTrace | undefined> => (await traces(`/api/traces/${traceId}`))[0],

    /** The newest traces of any service, the newest first. Jaeger searches within one service, so each is asked. */
    async search({ tags, limit }: { tags?: Readonly<Record<string, string>>; limit: number }): Promise<FoundTrace[]> {
      const { data: services } = (await get("/api/services")) as { data: string[] | null };
      const range = { start: String((Date.now() - lookbackMs) * 1000), end: String((Date.now() + aheadMs) * 1000) };
      const wanted = { ...range, limit: String(limit), ...(tags && { tags: JSON.stringify(tags) }) };
      const found = await Promise.all((services ?? []).map((service) => traces("/api/traces", { service, ...wanted })));
      const each = new Map(found.flat().map((trace) => [trace.traceId, trace]));
      const startOf = ({ spans }: FoundTrace) =>
        spans.reduce((least, { startNs }) => (startNs < least ? startNs : least), spans[0]?.startNs ?? 0n);
      return [...each.values()].sort((left, right) => Number(startOf(right) - startOf(left))).slice(0, limit);
    },
  };
}
