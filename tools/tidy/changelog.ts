//! The form of CHANGELOG.md: by release, under three headings, a sentence each.

import type { Tree } from "./tree.ts";

const sections = ["Safety and performance", "Features", "Internals"];
const release = /^## (Unreleased|\d+\.\d+\.\d+ \(\d{4}-\d{2}-\d{2}\))$/;

export function changelogComplaints(tree: Tree): string[] {
  const text = tree.get("CHANGELOG.md");
  if (text === undefined) return [];
  const [title, ...lines] = text.trimEnd().split("\n");
  const found = title === "# Changelog" ? [] : ["CHANGELOG.md does not begin with # Changelog"];
  const entries = lines.join("\n").split(/\n(?=- |#)/);
  for (const entry of entries.map((lines) => lines.trim())) {
    if (!isWellFormed(entry)) found.push(`CHANGELOG.md has "${entry.split("\n")[0]}", which has not its form`);
  }
  return found;
}

function isWellFormed(entry: string): boolean {
  if (entry.startsWith("### ")) return sections.includes(entry.slice(4));
  if (entry.startsWith("#")) return release.test(entry);
  return entry === "" || /^- [A-Z`][\s\S]*[.)]$/.test(entry);
}
