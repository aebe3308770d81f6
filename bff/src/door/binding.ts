import {
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  getOption,
  hasOption,
} from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { http } from "#gen/google/api/annotations_pb.ts";
import { Auth, type Policy, policy } from "#gen/skein/options/v1/options_pb.ts";

/** One RPC as HTTP sees it: verb and path, what goes in, what comes out, and the handler behind. */
export type Binding = {
  /** `PostService.CreatePost`, for logs and traces. */
  readonly name: string;
  readonly method: DescMethodUnary;
  readonly policy: Policy;
  readonly verb: Verb;
  /** Literals, and variables as `{field}`. */
  readonly segments: readonly string[];
  /** The request message travels as the JSON body. */
  readonly hasBody: boolean;
  /** The one field that is answered, where the annotation names one. */
  readonly shown: { readonly localName: string; readonly message: DescMessage } | undefined;
  /** The status of a success. */
  readonly status: number;
  readonly handler: (request: never, ctx: HandlerContext) => unknown;
};

const verbs = ["GET", "PUT", "POST", "DELETE", "PATCH"] as const;
type Verb = (typeof verbs)[number];

/** The bindings of every annotated RPC of a service. What this door cannot serve as the contract says fails the start. */
export function bind<S extends DescService>(service: S, impl: ServiceImpl<S>): Binding[] {
  const handlers = impl as Record<string, Binding["handler"]>;
  return service.methods
    .filter((method) => hasOption(method, http))
    .map((method) => {
      const name = `${service.name}.${method.name}`;
      if (!isUnary(method)) throw new Error(`${name}: a stream has no JSON form here`);
      return bindUnary(name, method, handlers[method.localName]);
    });
}

const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === "unary";

function bindUnary(name: string, method: DescMethodUnary, handler: Binding["handler"] | undefined): Binding {
  const rule = getOption(method, http);
  const rules = getOption(method, policy);
  const verb = verbs.find((candidate) => candidate.toLowerCase() === rule.pattern.case);
  const path = rule.pattern.value;
  if (handler === undefined) throw new Error(`${name} has no handler`);
  if (rules.auth !== Auth.PUBLIC && rules.auth !== Auth.USER) throw new Error(`${name}: its policy is not for clients`);
  if (rules.timeoutMs === 0) throw new Error(`${name} has no timeout`);
  if (verb === undefined || typeof path !== "string") throw new Error(`${name}: its HTTP verb is not served`);
  if (rule.body !== "" && rule.body !== "*") throw new Error(`${name}: a body is "*" or absent`);
  const segments = path.slice(1).split("/");
  for (const variable of segments.filter(isVariable)) {
    const field = method.input.fields.find((candidate) => candidate.name === fieldOf(variable));
    if (field?.fieldKind !== "scalar") throw new Error(`${name}: ${variable} is no scalar field`);
  }
  return {
    name,
    method,
    policy: rules,
    verb,
    segments,
    hasBody: rule.body === "*",
    shown: shownField(name, method, rule.responseBody),
    status: /^(create|register)/.test(method.localName) ? 201 : 200,
    handler,
  };
}

function shownField(name: string, method: DescMethodUnary, fieldName: string): Binding["shown"] {
  if (fieldName === "") return undefined;
  const field = method.output.fields.find((candidate) => candidate.name === fieldName);
  if (field?.fieldKind !== "message") throw new Error(`${name}: response_body ${fieldName} is no message field`);
  return { localName: field.localName, message: field.message };
}

export const isVariable = (segment: string): boolean => segment.startsWith("{");
export const fieldOf = (variable: string): string => variable.slice(1, -1);
