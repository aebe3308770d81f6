import { parseArgs } from "node:util";
import type { Outcome } from "./command.ts";
import { configurationPage, writeConfigurationPage } from "./configuration.ts";
import { breaking, formatContracts, generate, lintContracts, moveBaseline } from "./contracts.ts";

const help = `npm run gen [-- --release]

Checks the contracts in proto/ (form, lint, nothing broken since the last release) and writes gen/ from them, and
docs/configuration.md from every config.ts.
Needs no network.

  --release   also makes these contracts the ones that no later version may break (proto/baseline.binpb)
  --help      this page`;

const { values } = parseArgs({ options: { release: { type: "boolean" }, help: { type: "boolean" } } });

if (values.help) console.log(help);
else process.exitCode = await gen(values.release ?? false);

async function gen(release: boolean): Promise<number> {
  const steps: [name: string, step: () => Promise<Outcome>][] = [
    ["form (buf format -w puts it right)", () => formatContracts()],
    ["lint", () => lintContracts()],
    ["nothing broken since the last release", () => breaking()],
    ["gen/", () => generate()],
    [configurationPage, configurationWritten],
  ];
  if (release) steps.push(["proto/baseline.binpb", moveBaseline]);
  for (const [name, step] of steps) {
    const { code, output } = await step();
    console.log(`${code === 0 ? "✔" : "✖"} ${name}`);
    if (code !== 0) {
      console.error(output);
      return code;
    }
  }
  return 0;
}

async function configurationWritten(): Promise<Outcome> {
  try {
    writeConfigurationPage();
    return { code: 0, output: "" };
  } catch (error) {
    return { code: 1, output: (error as Error).message };
  }
}
