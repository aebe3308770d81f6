import {
  type DescField,
  type DescMessage,
  fromJsonString,
  type JsonValue,
  type MessageShape,
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
  const strange = strangeNames(desc, json, "");
  if (strange.length > 0) return broken(strange);
  if (isFieldError(cause)) return broken([illTyped(cause.field(), (field) => `/${field.jsonName}`)]);
  return broken([{ field: "/", rule: "must be a JSON object of the fields of this request" }]);
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
  const words: Record<number, string> = { 8: "true or false", 9: "a string of Unicode text", 12: "base64" };
  return words[field.scalar] ?? "a number in range";
}

/** Every value of an enum that is neither one of its names nor a number. */
function strangeNames(desc: DescMessage, json: JsonValue, pointer: string): Violation[] {
  if (json === null || typeof json !== "object" || Array.isArray(json)) return [];
  return desc.fields.flatMap((field) => {
    const value = json[field.jsonName] ?? json[field.name];
    const here = `${pointer}/${field.jsonName}`;
    if (value === undefined) return [];
    if (field.fieldKind === "message") return strangeNames(field.message, value, here);
    if (field.fieldKind !== "enum" || Number.isInteger(value)) return [];
    return field.enum.values.some(({ name }) => name === value)
      ? []
      : [{ field: here, rule: `must be ${wording(field)}` }];
  });
}

/** Every key no field answers to. Walks only into message fields, so it is as deep as the contract, not the text. */
function unknownKeys(desc: DescMessage, json: JsonValue, pointer: string): Violation[] {
  if (json === null || typeof json !== "object" || Array.isArray(json)) return [];
  if (desc.typeName.startsWith("google.protobuf.")) return [];
  return Object.entries(json).flatMap(([key, value]) => {
    const field = desc.fields.find(({ name, jsonName }) => name === key || jsonName === key);
    const here = `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (field === undefined) return [{ field: here, rule: "is unknown" }];
    return field.fieldKind === "message" ? unknownKeys(field.message, value, here) : [];
  });
}
