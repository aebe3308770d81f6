import {
  type DescField,
  type DescMessage,
  fromJsonString,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { isFieldError } from "@bufbuild/protobuf/reflect";
import { Code, type ConnectError } from "@connectrpc/connect";
import { problem, type Violation } from "#lib/mesh/errors.ts";

/** Nothing in the contract nests deeper than 5; a parser or a walk that recurses is never offered more than this. */
export const depthMax = 32;

/** A request message from JSON text: unknown fields, duplicate keys and ill-typed values are refused and named. */
export function messageFromJson<D extends DescMessage>(desc: D, text: string): MessageShape<D> {
  checkDepth(text);
  try {
    return fromJsonString(desc, text);
  } catch (reason) {
    throw refusal(desc, text, reason);
  }
}

/** Counts brackets outside strings, without recursion and before anything that recurses sees the text. */
function checkDepth(text: string): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (inString) {
      if (char === 0x5c) at++;
      else if (char === 0x22) inString = false;
    } else if (char === 0x22) inString = true;
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > depthMax) throw problem(Code.InvalidArgument, "too-deep", `at most ${depthMax} levels`);
    } else if (char === 0x7d || char === 0x5d) depth--;
  }
}

/** What protobuf-es says in words, as reasons; `json.test.ts` holds it to the words. */
function refusal(desc: DescMessage, text: string, reason: unknown): ConnectError {
  if (!(reason instanceof Error)) throw reason;
  const { cause, message } = reason;
  if (cause instanceof SyntaxError) return problem(Code.InvalidArgument, "malformed-json", "the body is not JSON");
  if (message.includes(": duplicate object key ") || (isFieldError(cause) && cause.message === "set multiple times")) {
    return problem(Code.InvalidArgument, "duplicate-key", "a key is there twice");
  }
  const json = JSON.parse(text) as JsonValue;
  const unknown = unknownKeys(desc, json, "");
  if (unknown.length > 0) return broken(unknown);
  // protobuf-es does not say which field it was.
  const strange = strangeNames(desc, json);
  if (strange.length > 0) return broken(strange);
  if (isFieldError(cause)) return broken([misfit(desc, json, cause.field() as DescField, cause.message)]);
  const [flat] = [...fieldsIn(desc, json)].filter(({ field, value }) => isOurs(field) && !isObject(value));
  if (flat !== undefined) return broken([{ field: flat.here, rule: "must be a JSON object" }]);
  return broken([{ field: "/", rule: "must be a JSON object of the fields of this request" }]);
}

/** The place of a value that is not of its field's type; of a list protobuf-es says in words which entry it is. */
function misfit(desc: DescMessage, json: JsonValue, own: DescField, words: string): Violation {
  const here = [...fieldsIn(desc, json)].find(({ field }) => field === own)?.here ?? `/${own.jsonName}`;
  const entry = /^list item #(\d+)\b/.exec(words)?.[1];
  if (entry === undefined || own.fieldKind !== "list") return illTyped(own, () => here);
  return { field: `${here}/${Number(entry) - 1}`, rule: `must be ${wordingOfEntry(own)}` };
}

const broken = (violations: Violation[]): ConnectError =>
  problem(Code.InvalidArgument, "validation", "the request breaks its contract", violations);

/** The rule an ill-typed value broke, with the pointer its field has. */
export function illTyped(field: unknown, pointer: (field: DescField) => string): Violation {
  const own = field as DescField;
  return { field: pointer(own), rule: `must be ${wording(own)}` };
}

function wording(field: DescField): string {
  if (field.fieldKind === "enum") return `one of ${field.enum.values.map(({ name }) => name).join(", ")}`;
  if (field.fieldKind !== "scalar") return `a ${field.fieldKind}`;
  return wordingOfScalar(field.scalar);
}

const wordingOfEntry = (field: DescField & { readonly fieldKind: "list" }): string =>
  field.listKind === "scalar" ? wordingOfScalar(field.scalar) : `a ${field.listKind}`;

function wordingOfScalar(type: ScalarType): string {
  const words: { readonly [T in ScalarType]?: string } = {
    [ScalarType.BOOL]: "true or false",
    [ScalarType.STRING]: "a string of Unicode text",
    [ScalarType.BYTES]: "base64",
  };
  return words[type] ?? "a number in range";
}

type Place = { readonly field: DescField; readonly value: JsonValue; readonly here: string };

/** Every field that has a value, with its pointer. Walks only into message fields, so it is as deep as the contract, not the text. */
function* fieldsIn(desc: DescMessage, json: JsonValue, pointer = ""): Generator<Place> {
  if (!isObject(json)) return;
  for (const field of desc.fields) {
    const value = json[field.jsonName] ?? json[field.name];
    if (value === undefined || value === null) continue;
    const here = `${pointer}/${field.jsonName}`;
    yield { field, value, here };
    if (field.fieldKind === "message") yield* fieldsIn(field.message, value, here);
  }
}

const isObject = (json: JsonValue): json is JsonObject =>
  json !== null && typeof json === "object" && !Array.isArray(json);

/** Those of protobuf itself have a JSON of their own. */
const isOurs = (field: DescField): boolean =>
  field.fieldKind === "message" && !field.message.typeName.startsWith("google.protobuf.");

/** Every value of an enum that is neither one of its names nor a number. */
function strangeNames(desc: DescMessage, json: JsonValue): Violation[] {
  return [...fieldsIn(desc, json)].flatMap(({ field, value, here }) => {
    if (field.fieldKind !== "enum" || Number.isInteger(value)) return [];
    return field.enum.values.some(({ name }) => name === value)
      ? []
      : [{ field: here, rule: `must be ${wording(field)}` }];
  });
}

/** Every key no field answers to. Walks only into message fields, so it is as deep as the contract, not the text. */
function unknownKeys(desc: DescMessage, json: JsonValue, pointer: string): Violation[] {
  if (!isObject(json)) return [];
  if (desc.typeName.startsWith("google.protobuf.")) return [];
  return Object.entries(json).flatMap(([key, value]) => {
    const field = desc.fields.find(({ name, jsonName }) => name === key || jsonName === key);
    const here = `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (field === undefined) return [{ field: here, rule: "is unknown" }];
    return field.fieldKind === "message" ? unknownKeys(field.message, value, here) : [];
  });
}
