//! The SQL that MariaDB, MySQL, Vitess and TiDB all take.

import { isTest, type Tree } from "./tree.ts";

const forbidden = ["RETURNING", "SKIP LOCKED", "AUTO_INCREMENT"];

/** Where SQL is written. In TypeScript it is in capitals, so that prose is not taken for it. */
const schema = /^(services|lib)\/[^/]+\/(.*\/)?[^/]+\.sql$/;
const code = /^services\/[^/]+\/src\/.*\.ts$|^lib\/(storage|events)\/.*\.ts$/;

export function sqlComplaints(tree: Tree): string[] {
  const found: string[] = [];
  for (const [file, text] of tree) {
    const isSchema = schema.test(file);
    if (!isSchema && (!code.test(file) || isTest(file))) continue;
    const sql = isSchema ? withoutSqlComments(text).toUpperCase() : withoutComments(text);
    for (const words of forbidden) {
      if (new RegExp(`\\b${words.replace(" ", "\\s+")}\\b`).test(sql))
        found.push(`${file} uses ${words}, which not all engines have`);
    }
    for (const [, table = "", body = ""] of sql.matchAll(/CREATE TABLE (?:IF NOT EXISTS )?([\w.`${}]+)([^;"]*)/g)) {
      if (!body.includes("PRIMARY KEY")) found.push(`${file} makes ${table.toLowerCase()} without a PRIMARY KEY`);
    }
  }
  return found;
}

const withoutSqlComments = (text: string): string => text.replace(/--.*$|\/\*[\s\S]*?\*\//gm, "");
const withoutComments = (text: string): string => text.replace(/^\s*\/\/.*$|\/\*[\s\S]*?\*\//gm, "");
