import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { isFieldError } from "@bufbuild/protobuf/reflect";
import { Code } from "@connectrpc/connect";
import { problem, type Violation } from "#lib/mesh/errors.ts";
import { type Binding, fieldOf, isVariable } from "./binding.ts";
import { illTyped } from "./json.ts";

/**
 * The request message that path and query spell: each parameter is a field under its camelCase name, a scalar given at
 * most once or a list of scalars by as many. Nothing is guessed: what is unknown, repeated or ill-typed is refused and
 * named `?parameter`.
 */
export function messageFromUrl(binding: Binding, path: Readonly<Record<string, string>>, query: string) {
  const desc = binding.method.input;
  const json: JsonObject = { ...path };
  const taken = new Set(binding.segments.filter(isVariable).map(fieldOf));
  const violations: Violation[] = [];
  for (const [name, value] of parametersOf(query)) {
    const refuse = (rule: string) => violations.push({ field: `?${name}`, rule });
    const field = desc.fields.find((candidate) => candidate.jsonName === name && !taken.has(candidate.name));
    if (field === undefined) refuse("is unknown");
    else if (Object.hasOwn(json, name) && field.fieldKind !== "list") refuse("must be given once");
    else if (value === undefined) refuse("must be percent-encoded UTF-8");
    else {
      const parsed = scalarOf(field, value);
      if (parsed === undefined) violations.push(illTyped(field, () => `?${name}`));
      else if (field.fieldKind === "list") json[name] = [...((json[name] ?? []) as JsonValue[]), parsed];
      else json[name] = parsed;
    }
  }
  if (violations.length > 0) throw broken(violations);
  return read(desc, json);
}

/** No parameters where the body carries the request. */
export function refuseParameters(query: string): void {
  const violations = parametersOf(query).map(([name]) => ({ field: `?${name}`, rule: "is unknown" }));
  if (violations.length > 0) throw broken(violations);
}

const broken = (violations: Violation[]) =>
  problem(Code.InvalidArgument, "validation", "the request breaks its contract", violations);

/** Range checks are the codec's. */
function read<D extends DescMessage>(desc: D, json: JsonObject): MessageShape<D> {
  try {
    return fromJson(desc, json);
  } catch (reason) {
    if (!(reason instanceof Error) || !isFieldError(reason.cause)) throw reason;
    throw broken([illTyped(reason.cause.field(), (field) => `?${field.jsonName}`)]);
  }
}

/** Name and value of each parameter; a value is undefined where it does not decode. */
function parametersOf(query: string): [string, string | undefined][] {
  if (query === "") return [];
  return query.split("&").map((pair) => {
    const at = pair.indexOf("=");
    const name = at < 0 ? pair : pair.slice(0, at);
    return [decoded(name) ?? name, at < 0 ? "" : decoded(pair.slice(at + 1))];
  });
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

const wholeForm = /^-?(0|[1-9][0-9]{0,18})$/;
const numberForm = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/;

/** A parameter as the JSON value its field, or an entry of it, takes; undefined where it is none. Messages have no spelling. */
function scalarOf(field: DescField, text: string): string | number | boolean | undefined {
  if (field.fieldKind === "enum") return field.enum.values.some(({ name }) => name === text) ? text : undefined;
  const isScalar = field.fieldKind === "scalar" || (field.fieldKind === "list" && field.listKind === "scalar");
  if (!isScalar) return undefined;
  switch (field.scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      return text === "true" ? true : text === "false" ? false : undefined;
    case ScalarType.BYTES:
      return undefined;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return numberForm.test(text) ? Number(text) : undefined;
    default:
      return wholeForm.test(text) ? text : undefined;
  }
}
