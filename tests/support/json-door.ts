import { type DescMethodUnary, getOption, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { http } from "#gen/google/api/annotations_pb.ts";
import { type Door, headersOf, type Outcome } from "./outcome.ts";

type Problem = { type: string; status: number; errors?: { pointer: string }[] };

/** JSON over HTTP, each request spelled from its annotation. */
export const jsonDoor = (edge: string): Door => ({
  name: "JSON",
  async call(method, request, head) {
    const { verb, path, body } = spell(method, request);
    const headers = { ...headersOf(head), ...(body !== undefined && { "content-type": "application/json" }) };
    const response = await fetch(`${edge}${path}`, { method: verb, headers, ...(body !== undefined && { body }) });
    const answer = (await response.json()) as JsonObject;
    if (!response.ok) return refusal(answer as Problem);
    const { responseBody } = getOption(method, http);
    const message = responseBody === "" ? answer : { [responseBody]: answer };
    return { ok: true, message, replayed: response.headers.get("idempotency-replayed") === "true" };
  },
  close: () => {},
});

/** A path has no spelling for an empty segment, for a slash, for dots alone, for control characters or for more than a head holds. */
export function isSpellable(method: DescMethodUnary, request: JsonObject): boolean {
  const { pattern } = getOption(method, http);
  const names = [...String(pattern.value).matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return names.every((name) => /^(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]{1,2000}$/.test(String(request[name] ?? "")));
}

/** A request as its annotation spells it. */
export function spell(method: DescMethodUnary, request: JsonObject): { verb: string; path: string; body?: string } {
  const { pattern, body } = getOption(method, http);
  const rest = new Map<string, JsonValue>(Object.entries(request));
  const path = String(pattern.value).replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(rest.get(name));
    rest.delete(name);
    return encodeURIComponent(value);
  });
  const verb = pattern.case?.toUpperCase() ?? "";
  if (body === "*") return { verb, path, body: JSON.stringify(Object.fromEntries(rest)) };
  const given = [...rest].flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [name, one]),
  );
  const query = given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&");
  return { verb, path: query === "" ? path : `${path}?${query}` };
}

function refusal({ type, status, errors = [] }: Problem): Outcome {
  const fields = errors.map(({ pointer }) => pointer.replace(/^[/?{]|\}$/g, "")).sort();
  return { ok: false, code: undefined, status, reason: type.replace("/problems/", ""), fields };
}
