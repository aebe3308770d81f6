import { parseArgs } from "node:util";
import { command, type Outcome } from "./command.ts";
import { configurationPage, isConfigurationStale } from "./configuration.ts";
import { breaking, formatContracts, lintContracts, staleFiles } from "./contracts.ts";

const help = `npm run check

Everything that can be said about the code without running it: form and rules (biome), types (tsc), contracts (buf),
a fresh gen/ and docs/configuration.md, dead code (knip) and the shape of the tree (tidy). Runs all of them, then names what failed.`;

const fine: Outcome = { code: 0, output: "" };

type Check = { readonly name: string; readonly run: () => Promise<Outcome> };

const checks: readonly Check[] = [
  { name: "biome", run: () => command(["biome", "check", "--error-on-warnings", "."]) },
  { name: "tsc", run: () => command(["tsc", "--project", "."]) },
  { name: "contracts: form", run: () => formatContracts() },
  { name: "contracts: rules", run: () => lintContracts() },
  { name: "contracts: nothing broken", run: () => breaking() },
  { name: "gen/ is fresh", run: fresh },
  { name: `${configurationPage} is fresh`, run: configurationFresh },
  { name: "knip", run: () => command(["knip"]) },
  { name: "tidy", run: () => command([process.execPath, "--test", "tools/tidy.test.ts"]) },
];

const { values } = parseArgs({ options: { help: { type: "boolean" } } });

if (values.help) console.log(help);
else process.exitCode = await check();

async function check(): Promise<number> {
  const failed: string[] = [];
  for (const { name, run } of checks) {
    const start = performance.now();
    const { code, output } = await run();
    console.log(`${code === 0 ? "✔" : "✖"} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    if (code === 0) continue;
    console.log(output);
    failed.push(name);
  }
  if (failed.length === 0) return 0;
  console.error(`failed: ${failed.join(", ")}`);
  return 1;
}

async function fresh(): Promise<Outcome> {
  const stale = await staleFiles();
  return { code: stale.length === 0 ? 0 : 1, output: `${stale.join("\n")}\nrun npm run gen` };
}

async function configurationFresh(): Promise<Outcome> {
  try {
    return isConfigurationStale() ? { code: 1, output: `run npm run gen, and commit ${configurationPage}` } : fine;
  } catch (error) {
    return { code: 1, output: (error as Error).message };
  }
}
