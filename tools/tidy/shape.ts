//! Where files may stand, what they are called, how long they are.

import { isTest, type Tree } from "./tree.ts";

const linesMax = 400;

/** Names that say nothing. */
const empty = /(^|[-_./])(utils?|helpers?|common|managers?|data|info)([-_./]|$)/;

/** The files of a service. Knowing one service is knowing all. A file that outgrows the wall becomes a folder. */
const serviceFile =
  /^services\/[a-z]+\/(README\.md|src\/(main|config|(handlers|store|read-model|events|consumer)(\/[a-z-]+)?)\.ts|schema\/\d{4}_[a-z0-9_]+\.sql|test\/[a-z.-]+\.ts)$/;
const serviceNeeds = ["README.md", "src/main.ts", "src/config.ts"];

/** Where the environment may be read: what configures, what launches, what tests. */
const readsEnvironment = /(^|\/)config\.ts$|^(tools|tests|bench)\//;

export function shapeComplaints(tree: Tree): string[] {
  const found: string[] = [];
  for (const [file, text] of tree) {
    if (!file.endsWith(".md") && text.split("\n").length > linesMax)
      found.push(`${file} is longer than ${linesMax} lines`);
    const word = empty.exec(file)?.[2];
    if (word !== undefined) found.push(`${file} is named "${word}", which says nothing`);
    if (file.startsWith("services/") && !serviceFile.test(file)) found.push(`${file} is not a file services have`);
    if (file.endsWith(".ts") && !readsEnvironment.test(file) && !isTest(file) && /\bprocess\.env\b/.test(text)) {
      found.push(`${file} reads process.env, which only config.ts does`);
    }
  }
  return [...found, ...serviceComplaints(tree)];
}

function serviceComplaints(tree: Tree): string[] {
  const files = [...tree.keys()];
  const services = new Set(files.flatMap((file) => /^services\/[^/]+(?=\/)/.exec(file) ?? []));
  const found: string[] = [];
  for (const service of services) {
    for (const name of serviceNeeds) if (!tree.has(`${service}/${name}`)) found.push(`${service} has no ${name}`);
  }
  const pages = [...services].map((service) => `${service}/README.md`).filter((page) => tree.has(page));
  const expected = headings(tree.get(pages[0] ?? ""));
  for (const page of pages) {
    const own = headings(tree.get(page));
    if (own !== expected) found.push(`${page} has other headings (${own}) than ${pages[0]} (${expected})`);
  }
  return found;
}

const headings = (page = ""): string => [...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading).join(", ");
