import type { Attributes } from "@opentelemetry/api";

type Statement = { readonly name: string; readonly attributes: Attributes };

/** Forms of statements differ by their lists of values, too; beyond this many the names are found anew. */
const knownMax = 1_000;
const known = new Map<string, Statement>();

const verbForm = /^\s*\(?\s*(START TRANSACTION|COMMIT|ROLLBACK|[A-Z]+)/;
const tableForm = /\b(?:FROM|INTO|UPDATE|TABLE)\s+`?([a-z_]+)/;

/** How a statement is called in a trace: `SELECT post`, `COMMIT`. After OpenTelemetry's conventions for databases. */
export function statementOf(sql: string): Statement {
  const found = known.get(sql);
  if (found !== undefined) return found;
  const verb = verbForm.exec(sql)?.[1] ?? "SQL";
  const table = tableForm.exec(sql)?.[1];
  const name = table === undefined ? verb : `${verb} ${table}`;
  const attributes: Attributes = { "db.system.name": "mysql", "db.operation.name": verb };
  if (table !== undefined) attributes["db.collection.name"] = table;
  if (known.size >= knownMax) known.clear();
  known.set(sql, { name, attributes });
  return { name, attributes };
}
