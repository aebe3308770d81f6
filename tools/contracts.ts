import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { command, type Outcome, root } from "./command.ts";

/** The contracts of the last release, which no later one may break. Moved at a release only (`npm run gen -- --release`). */
export const baseline = "proto/baseline.binpb";

const vendored = ["google", "grpc", "opentelemetry"].flatMap((name) => ["--exclude-path", `proto/${name}`]);

/** All of these work without a network: the imports are vendored and the plugin is a local package. */
export const formatContracts = (dir = root): Promise<Outcome> =>
  command(["buf", "format", "--diff", "--exit-code", ...vendored], dir);
export const lintContracts = (dir = root): Promise<Outcome> => command(["buf", "lint"], dir);

/** gen/ under `out`: the code first, and from the contracts with their comments the OpenAPI document. */
export async function generate(out = root): Promise<Outcome> {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skein-openapi-"));
  const contracts = path.join(dir, "contracts.binpb");
  try {
    for (const step of [
      ["buf", "generate", "--output", out],
      ["buf", "build", "--output", contracts],
      [process.execPath, "tools/openapi.ts", contracts, path.join(out, "gen/openapi.yaml")],
    ] as const) {
      const outcome = await command([...step]);
      if (outcome.code !== 0) return outcome;
    }
    return { code: 0, output: "" };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
export const moveBaseline = (): Promise<Outcome> =>
  command(["buf", "build", "--exclude-source-info", "--output", baseline]);

/** Code 100 where the contracts under `dir` would break a peer of the last release on the wire or in JSON. */
export const breaking = (dir = root): Promise<Outcome> =>
  command(["buf", "breaking", "--against", path.join(root, baseline)], dir);

/** The files of gen/ that are not what the contracts say now: changed, missing or left over. */
export async function staleFiles(gen = path.join(root, "gen")): Promise<string[]> {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skein-gen-"));
  try {
    const { code, output } = await generate(dir);
    if (code !== 0) throw new Error(output);
    const [fresh, kept] = [filesIn(path.join(dir, "gen")), filesIn(gen)];
    return [...new Set([...fresh.keys(), ...kept.keys()])].filter((file) => fresh.get(file) !== kept.get(file)).sort();
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function filesIn(dir: string): Map<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return [path.relative(dir, file), readFileSync(file, "utf8")];
    }),
  );
}
