import type { TraceSummary } from "./draw.ts";

/** A line a trace, the newest first. */
export function traceTable(summaries: readonly TraceSummary[]): string {
  const header = ["when", "trace", "took", "spans", "failed", "what", "services"];
  const rows = summaries.map((each) => [
    each.startTime.slice(0, 23).replace("T", " "),
    each.traceId,
    `${each.durationMs.toFixed(1)} ms`,
    String(each.spans),
    each.errors === 0 ? "" : String(each.errors),
    each.name,
    each.services.join(" "),
  ]);
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const isNumber = (column: number) => column >= 2 && column <= 4;
  const cell = (text: string, column: number) =>
    isNumber(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  return [header, ...rows].map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
