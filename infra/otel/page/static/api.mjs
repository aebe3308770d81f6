//! Jaeger's query API, which is served beside this page, by a Jaeger or by the project's own store.

const lookbackMs = 48 * 3600 * 1000;
const aheadMs = 60_000;

/** Says what the store says, where it refuses. */
async function get(path, query = {}) {
  const search = new URLSearchParams(query);
  const response = await fetch(`${path}?${search}`).catch(() => {
    throw new Error("the trace store does not answer; npm run status shows what runs");
  });
  const body = await response.json().catch(() => ({}));
  if (response.status === 404) return [];
  if (!response.ok) throw new Error(body.errors?.[0]?.msg ?? `the trace store answers ${response.status}`);
  return body.data ?? [];
}

export const services = async () => (await get("/api/services")).sort();

export const trace = async (id) => (await get(`/api/traces/${id}`))[0];

/** The newest traces, the newest first. Jaeger searches within one service, so each is asked where none is named. */
export async function search({ service, tags, leastMs = 0, limit }) {
  const range = { start: (Date.now() - lookbackMs) * 1000, end: (Date.now() + aheadMs) * 1000 };
  const query = { ...range, limit };
  if (tags !== undefined) query.tags = JSON.stringify(tags);
  if (leastMs > 0) query.minDuration = `${leastMs}ms`;
  const names = service ? [service] : await services();
  const found = await Promise.all(names.map((name) => get("/api/traces", { ...query, service: name })));
  const each = new Map(found.flat().map((one) => [one.traceID, one]));
  return [...each.values()].sort((left, right) => startOf(right) - startOf(left)).slice(0, limit);
}

/** Microseconds since 1970. */
export const startOf = ({ spans }) => spans.reduce((least, { startTime }) => Math.min(least, startTime), Infinity);
export const endOf = ({ spans }) => spans.reduce((most, span) => Math.max(most, span.startTime + span.duration), 0);
