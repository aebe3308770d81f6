import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { root } from "../command.ts";

/** Path from the top of the repository → text. */
export type Tree = ReadonlyMap<string, string>;

const written = /\.(ts|mjs|sql|proto|md)$/;
/** Nobody wrote these here: installed, generated, vendored, or a running system's files. */
const foreign = /^(\.|node_modules$|gen$|proto\/(google|grpc|opentelemetry)$|web\/dist$)/;

/** Every file that a person wrote. Read from the disk and not from git, so that an unpacked archive is checked too. */
export function readTree(dir = "", tree: Map<string, string> = new Map()): Tree {
  for (const entry of readdirSync(path.join(root, dir), { withFileTypes: true })) {
    const file = path.posix.join(dir, entry.name);
    if (foreign.test(file) || entry.name === "node_modules") continue;
    if (entry.isDirectory()) readTree(file, tree);
    else if (entry.isFile() && written.test(file)) tree.set(file, readFileSync(path.join(root, file), "utf8"));
  }
  return tree;
}

export const isTest = (file: string): boolean => file.includes("/test/") || file.endsWith(".test.ts");
