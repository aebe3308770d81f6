//! Who may import whom.

import path from "node:path";
import { isTest, type Tree } from "./tree.ts";

const anything = "anything";

/** For each room, the rooms it may import, or single files of one. A room that is not here does not exist. */
const allowed: Readonly<Record<string, readonly string[] | typeof anything>> = {
  gen: [],
  "lib/mesh": ["gen"],
  "lib/storage": ["lib/mesh"],
  "lib/events": ["gen", "lib/mesh", "lib/storage"],
  "lib/readmodel": ["gen", "lib/mesh", "lib/storage"],
  "lib/media": [],
  "lib/preview": [],
  "lib/service": ["gen", "lib/mesh", "lib/storage", "lib/events", "lib/readmodel"],
  "lib/harness": ["gen", "lib/mesh", "lib/storage", "lib/events", "lib/readmodel", "infra"],
  services: [
    "gen",
    "lib/mesh",
    "lib/storage",
    "lib/events",
    "lib/readmodel",
    "lib/media",
    "lib/preview",
    "lib/service",
  ],
  // Budgets are in Redis; truth is not for the BFF to read.
  bff: ["gen", "lib/mesh", "lib/storage/redis.ts", "lib/storage/rate.ts"],
  infra: ["gen", "lib/mesh/log.ts"],
  sdk: ["gen"],
  web: [],
  tools: anything,
  tests: anything,
  bench: anything,
};

/** Where each driver may be imported, so that replacing it is a change to one room. Tests and tools may use any. */
const drivers: Readonly<Record<string, readonly string[]>> = {
  mysql2: ["lib/storage"],
  ioredis: ["lib/storage"],
  nats: ["lib/events", "lib/harness"],
  "@nats-io": ["lib/events"],
  "@grpc/grpc-js": ["lib/mesh"],
  "@connectrpc/connect-node": ["lib/mesh", "bff"],
  "prom-client": ["lib/mesh"],
  "@aws-sdk": ["lib/storage"],
  sharp: ["lib/media"],
  blurhash: ["lib/media"],
  htmlparser2: ["lib/preview"],
  koa: ["bff"],
  "@koa/router": ["bff"],
  jose: ["services/user", "bff"],
};

export function importComplaints(tree: Tree): string[] {
  const found: string[] = [];
  for (const [file, text] of tree) {
    if (!/\.(ts|mjs)$/.test(file) || !file.includes("/")) continue;
    if (!(kindOf(roomOf(file)) in allowed)) found.push(`${file} is in no room of tools/tidy/rooms.ts`);
    for (const spec of importsOf(text)) {
      const complaint = importComplaint(file, spec);
      if (complaint !== undefined) found.push(`${file} ${complaint}`);
    }
  }
  return found;
}

function importComplaint(file: string, spec: string): string | undefined {
  const from = roomOf(file);
  const target = targetOf(file, spec);
  if (target === undefined) return isTest(file) ? undefined : driverComplaint(from, spec);
  const to = roomOf(target);
  if (from === to) return spec.startsWith("#") ? `reaches its own room by ${spec}: use a relative path` : undefined;
  const rooms = allowed[kindOf(from)] ?? [];
  const harness = to === "lib/harness" && isTest(file);
  if (rooms !== anything && !harness && !rooms.includes(to) && !rooms.includes(target)) return `may not import ${to}`;
  if (spec.startsWith(".") && /^(gen|lib)\b/.test(to)) return `leaves its room by ${spec}: use #${target}`;
  return undefined;
}

function driverComplaint(from: string, spec: string): string | undefined {
  const driver = Object.keys(drivers).find((name) => spec === name || spec.startsWith(`${name}/`));
  const homes = driver === undefined ? undefined : drivers[driver];
  if (homes === undefined || allowed[from] === anything || homes.includes(from)) return undefined;
  return `may not import ${spec}, which belongs to ${homes.join(" and ")}`;
}

/** The repository path that an import lands in, or undefined for a package. */
function targetOf(file: string, spec: string): string | undefined {
  if (spec.startsWith("#")) return spec.slice(1);
  return spec.startsWith(".") ? path.posix.join(path.posix.dirname(file), spec) : undefined;
}

/** What is imported or re-exported. Lines inside a string do not begin with `import`, so planted text is not seen. */
function importsOf(text: string): string[] {
  const statements =
    /^\s*(?:import|export)\s[^"';]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;
  return [...text.matchAll(statements)].map(([, from, bare, called]) => from ?? bare ?? called ?? "");
}

/** A room is one library, one service, or a folder at the top. */
function roomOf(file: string): string {
  const [top = "", name = ""] = file.split("/");
  return top === "lib" || top === "services" ? `${top}/${name}` : top;
}

const kindOf = (room: string): string => (room.startsWith("services/") ? "services" : room);
