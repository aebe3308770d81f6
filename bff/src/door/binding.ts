import { type DescMessage, type DescMethod, type DescMethodUnary, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "#gen/google/api/annotations_pb.ts";
import { requirePolicy } from "./policy.ts";
import type { Rpc } from "./rpc.ts";

/** One RPC as HTTP sees it: verb and path, what goes in, what comes out. */
export type Binding = Rpc & {
  readonly verb: Verb;
  /** Literals, and variables as `{field}`. */
  readonly segments: readonly string[];
  /** The request message travels as the JSON body. */
  readonly hasBody: boolean;
  /** Without one nothing is said but what the path says. */
  readonly isBodyOptional: boolean;
  /** The one field that is answered, where the annotation names one. */
  readonly shown: { readonly localName: string; readonly message: DescMessage } | undefined;
  /** The status of a success. */
  readonly status: number;
};

const verbs = ["GET", "PUT", "POST", "DELETE", "PATCH"] as const;
type Verb = (typeof verbs)[number];

/** The bindings of every annotated RPC. What this door cannot serve as the contract says fails the start. */
export const bind = (rpcs: readonly Rpc[]): Binding[] =>
  rpcs.filter(({ method }) => hasOption(method, http)).map(bindOne);

function bindOne(rpc: Rpc): Binding {
  requirePolicy(rpc);
  const { name, method } = rpc;
  const rule = getOption(method, http);
  const verb = verbs.find((candidate) => candidate.toLowerCase() === rule.pattern.case);
  const path = rule.pattern.value;
  if (verb === undefined || typeof path !== "string") throw new Error(`${name}: its HTTP verb is not served`);
  if (rule.body !== "" && rule.body !== "*") throw new Error(`${name}: a body is "*" or absent`);
  const segments = path.slice(1).split("/");
  for (const variable of segments.filter(isVariable)) {
    const field = method.input.fields.find((candidate) => candidate.name === fieldOf(variable));
    if (field?.fieldKind !== "scalar") throw new Error(`${name}: ${variable} is no scalar field`);
  }
  return {
    ...rpc,
    verb,
    segments,
    hasBody: rule.body === "*",
    isBodyOptional: isBodyOptional(method),
    shown: shownField(name, method, rule.responseBody),
    status: successStatus(method),
  };
}

/** Whether a PUT may come without its body: all that it may say beside its path is optional. */
export function isBodyOptional(method: DescMethod): boolean {
  const { pattern, body } = getOption(method, http);
  const inPath = String(pattern.value).split("/").filter(isVariable).map(fieldOf);
  const said = method.input.fields.filter(({ name }) => !inPath.includes(name));
  return pattern.case === "put" && body === "*" && said.every(({ proto }) => proto.proto3Optional);
}

/** What a create or a registration is answered with is new. */
export const successStatus = ({ localName }: Pick<DescMethodUnary, "localName">): number =>
  /^(create|register)/.test(localName) ? 201 : 200;

function shownField(name: string, method: DescMethodUnary, fieldName: string): Binding["shown"] {
  if (fieldName === "") return undefined;
  const field = method.output.fields.find((candidate) => candidate.name === fieldName);
  if (field?.fieldKind !== "message") throw new Error(`${name}: response_body ${fieldName} is no message field`);
  return { localName: field.localName, message: field.message };
}

export const isVariable = (segment: string): boolean => segment.startsWith("{");
export const fieldOf = (variable: string): string => variable.slice(1, -1);
