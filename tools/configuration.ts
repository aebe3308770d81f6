import { globSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "./command.ts";
import { commandVariables, passedOn } from "./configuration/commands.ts";
import { type Setting, settingsIn } from "./configuration/settings.ts";

/** The page that is written, and checked to be what the code says now. */
export const configurationPage = "docs/configuration.md";

const configs = "{lib/mesh,services/*/src,bff/src,infra/otel}/config.ts";
/** Where the commands read the environment, as far as nobody hands it to them. */
const commandFiles = ["tools/*.{ts,mjs}", "tools/{launcher,servers,bootstrap,containers}/*.{ts,mjs}"];

export const writeConfigurationPage = (): void => writeFileSync(path.join(root, configurationPage), pageText());

/** Whether somebody changed a setting and not the page. */
export const isConfigurationStale = (): boolean =>
  readFileSync(path.join(root, configurationPage), "utf8") !== pageText();

function pageText(): string {
  const of = (file: string) => settingsIn(file, readFileSync(path.join(root, file), "utf8"));
  const sections = globSync(configs, { cwd: root })
    .sort()
    .map((file) => ({ file, settings: of(file) }))
    .filter(({ settings }) => settings.length > 0);
  return [
    "# Configuration",
    "",
    "Written by `npm run gen` from every `config.ts`; `npm run check` holds it to them. A process reads its environment once,",
    "when it starts, and ends with one line where something is missing or wrong. In a container `X_FILE=/run/secrets/…` stands",
    "for `X`.",
    ...sections.flatMap(({ file, settings }) => ["", `## ${titleOf(file)}`, "", `\`${file}\``, "", ...table(settings)]),
    "",
    "## The commands",
    "",
    "`npm start` and the other commands; what they do not know they pass on to every process.",
    "",
    ...table(commandSettings()),
    "",
  ].join("\n");
}

function titleOf(file: string): string {
  const [, noun] = /^services\/(\w+)/.exec(file) ?? [];
  if (noun !== undefined) return `The ${noun} service, beside`;
  return (
    { lib: "Every service", bff: "The BFF", infra: "The trace store of `npm start`" }[file.split("/")[0] ?? ""] ?? file
  );
}

const table = (settings: readonly Setting[]): string[] => [
  "| variable | kind | default | meaning |",
  "|---|---|---|---|",
  ...settings.map(({ variable, kind, fallback, meaning }) => {
    const shown = fallback === undefined ? "must be set" : fallback === "" ? "" : `\`${fallback}\``;
    return `| \`${variable}\` | ${kind} | ${shown} | ${meaning.replaceAll("|", "\\|")} |`;
  }),
];

/** Every variable that a command reads is described, and none that it does not read. */
function commandSettings(): Setting[] {
  const read = new Set<string>();
  for (const file of globSync(commandFiles, { cwd: root })) {
    const text = readFileSync(path.join(root, file), "utf8");
    for (const [, name = ""] of text.matchAll(/\benv\.([A-Z][A-Z_0-9]*)\b/g)) read.add(name);
    for (const [, name = ""] of text.matchAll(/\bvariable: "([A-Z][A-Z_0-9]*)"/g)) read.add(name);
  }
  const described = new Set(commandVariables.map(({ variable }) => variable));
  const undescribed = [...read].filter((name) => !described.has(name) && !passedOn.includes(name));
  const unread = [...described].filter((name) => !read.has(name));
  if (undescribed.length > 0)
    throw new Error(`tools/configuration/commands.ts does not describe ${undescribed.join(", ")}`);
  if (unread.length > 0)
    throw new Error(`tools/configuration/commands.ts describes ${unread.join(", ")}, which nobody reads`);
  return [...commandVariables].sort((a, b) => (a.variable < b.variable ? -1 : 1));
}
