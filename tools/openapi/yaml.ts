/** What a document is made of. */
export type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value | undefined };

/** Block YAML 1.2 of a document; strings are written as JSON, which YAML reads alike. */
export const yamlOf = (value: Value): string => `${lines(value).join("\n")}\n`;

function lines(value: Value): string[] {
  if (typeof value === "object" && Object.keys(value).length === 0) return [Array.isArray(value) ? "[]" : "{}"];
  if (Array.isArray(value)) {
    return value.flatMap((item: Value) => lines(item).map((line, at) => (at === 0 ? `- ${line}` : `  ${line}`)));
  }
  if (typeof value !== "object") return [JSON.stringify(value)];
  return Object.entries(value).flatMap(([name, item]) => {
    if (item === undefined) return [];
    const key = /^[a-zA-Z][\w-]*$/.test(name) ? name : JSON.stringify(name);
    if (typeof item !== "object" || Object.keys(item).length === 0) return [`${key}: ${lines(item)[0]}`];
    return [`${key}:`, ...lines(item).map((line) => `  ${line}`)];
  });
}
