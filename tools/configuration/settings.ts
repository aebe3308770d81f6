/** One variable of the environment. Without a fallback it must be set. */
export type Setting = {
  readonly variable: string;
  readonly kind: string;
  readonly fallback: string | undefined;
  readonly meaning: string;
};

/** How settings are read, and what that says of their kind. */
const readers: readonly [form: RegExp, of: (groups: string[]) => Pick<Setting, "variable" | "kind" | "fallback">][] = [
  [/\bneed\((?:process\.)?env, "(\w+)"\)/, ([variable = ""]) => ({ variable, kind: "text", fallback: undefined })],
  [
    /\bwhole\((?:process\.)?env, "(\w+)", ([\d_]+)\)/,
    ([variable = "", fallback = ""]) => ({ variable, kind: "whole number", fallback: fallback.replaceAll("_", "") }),
  ],
  [
    /\bword\((?:process\.)?env, "(\w+)", \[([^\]]*)\], "([^"]*)"\)/,
    ([variable = "", words = "", fallback = ""]) => ({
      variable,
      kind: words.replaceAll('"', "").replaceAll(", ", " \\| "),
      fallback,
    }),
  ],
  [
    /\bbudget\(env, "(\w+)", "([^"]*)"\)/,
    ([variable = "", fallback = ""]) => ({ variable, kind: "a second/at once", fallback }),
  ],
  [
    /\benv\.([A-Z]\w*) (?:\?\?|\|\|) (?:"([^"]*)"|([\d_]+))/,
    ([variable = "", text, number]) => ({
      variable,
      kind: number === undefined ? "text" : "whole number",
      fallback: text ?? number?.replaceAll("_", "") ?? "",
    }),
  ],
  [/\benv\.([A-Z]\w*),/, ([variable = ""]) => ({ variable, kind: "text", fallback: "" })],
];

/**
 * The settings that a `config.ts` reads, one a property, each with the comment above it. Throws for one without a comment,
 * and for a read of a form that is not known here: a page that lacks one would be worse than none.
 */
export function settingsIn(file: string, text: string): Setting[] {
  const found: Setting[] = [];
  const properties =
    /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?^ +(\w+): ([^{\n]*(?:need|whole|word|budget|env)\b[^\n]*),$/gm;
  for (const [, comment, name, expression = ""] of text.matchAll(properties)) {
    const setting = settingOf(`${expression},`);
    if (setting === undefined) throw new Error(`${file}: how ${name} is read is not known to tools/configuration`);
    if (comment === undefined)
      throw new Error(`${file}: ${name} has no comment that says what ${setting.variable} means`);
    found.push({ ...setting, meaning: comment.replace(/\s*\n\s*\*?\s*/g, " ").trim() });
  }
  const read = new Set([...text.matchAll(/\b(?:env, "|env\.)([A-Z][A-Z_0-9]+)/g)].map(([, name]) => name));
  const missed = [...read].filter((name) => !found.some(({ variable }) => variable === name));
  if (missed.length > 0)
    throw new Error(`${file}: ${missed.join(", ")} is read in a form that tools/configuration does not know`);
  return found;
}

function settingOf(expression: string) {
  for (const [form, of] of readers) {
    const [, ...groups] = form.exec(expression) ?? [];
    if (groups.length > 0) return of(groups);
  }
  return undefined;
}
