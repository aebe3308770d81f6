import type { Due } from "./rules.ts";
import type { Result } from "./run.ts";
import { owners, viewers } from "./world.ts";

const columns = viewers.map((viewer) => viewer.slice(0, 9));

/**
 * The table of rows as lines: RPC, rule, and for each viewer what is due at the private owner's and the public one's: a
 * status, how many things are shown, or the letters of the audiences whose posts are.
 */
export function printed(results: readonly Result[]): string[] {
  const lines = [["RPC", "rule", ...columns]];
  for (const { row, due } of results) {
    const cells = viewers.map((viewer) => {
      const [one = "", other = ""] = owners.map((owner) => cellOf(due.get(`${viewer} ${owner}`) ?? []));
      return one === other ? one : `${one}/${other}`;
    });
    const noun = row.method.parent.typeName.split(".")[1];
    lines.push([`${noun}.${row.method.name}`, row.rule.name, ...cells]);
  }
  const widths = columns
    .reduce<number[]>((all) => all, [])
    .concat((lines[0] ?? []).map((_, at) => Math.max(...lines.map((line) => (line[at] ?? "").length))));
  return lines.map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join(" ")
      .trimEnd(),
  );
}

/** Of one owner's posts by audience, in their order; P for followers is written F, and so on. */
const letters = "PFCMO";
const statuses: Readonly<Record<string, string>> = {
  unauthenticated: "401",
  "not-found": "404",
  "account-suspended": "403",
  validation: "400",
  blocking: "400",
};

function cellOf(due: readonly Due[]): string {
  const [first] = due;
  if (first === undefined) return "?";
  if (due.length === 1) return statusOf(first);
  const shown = due.flatMap((each, at) => ("reason" in each ? [] : [letters[at]])).join("");
  return shown === "" ? statusOf(first) : shown;
}

function statusOf(due: Due): string {
  if ("reason" in due) return statuses[due.reason] ?? due.reason;
  return due.shows === undefined ? "ok" : String(due.shows.length);
}
