import { globSync } from "node:fs";
import { type DescField, type DescMethod, type DescService, getOption } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { http } from "#gen/google/api/annotations_pb.ts";
import type { HttpRule } from "#gen/google/api/http_pb.ts";
import { type Policy, PolicySchema, policy } from "#gen/skein/options/v1/options_pb.ts";

/** What Envoy must know about one RPC. */
export type Rpc = {
  /** `user` of `skein.user.v1`: the service that answers, and the name of its cluster. */
  readonly noun: string;
  /** The gRPC path, `/skein.user.v1.UserService/GetUser`. */
  readonly path: string;
  readonly streaming: boolean;
  readonly policy: Policy;
  /** The JSON door, where the contract opens one. */
  readonly http: readonly HttpDoor[];
};

export type HttpDoor = { readonly method: string; readonly template: string };

/** The package of what clients see; the other packages are spoken inside the mesh only. */
export const publicNoun = "api";

/** Every service of the contracts. Read from the generated files, so a new contract needs no line here. */
export const services: readonly DescService[] = await readServices();

async function readServices(): Promise<DescService[]> {
  const gen = new URL("../../gen/", import.meta.url);
  const files = globSync("skein/*/v1/*_pb.ts", { cwd: gen.pathname }).sort();
  const modules = await Promise.all(files.map((file): Promise<object> => import(new URL(file, gen).href)));
  return modules.flatMap((module) => Object.values(module).filter(isService));
}

function isService(value: { kind?: unknown } | undefined): value is DescService {
  return value?.kind === "service";
}

/** The RPCs of these services. Throws, naming each, where the contract leaves a policy open. */
export function rpcsOf(from: readonly DescService[]): Rpc[] {
  const methods = from.flatMap((service) => service.methods);
  const gaps = methods.flatMap(policyGaps);
  if (gaps.length > 0) throw new Error(`RPCs without a whole policy:\n${gaps.join("\n")}`);
  return methods.map((method) => ({
    noun: nounOf(method.parent),
    path: pathOf(method),
    streaming: method.methodKind !== "unary",
    policy: getOption(method, policy),
    http: doorsOf(getOption(method, http)),
  }));
}

/** What the policy of an RPC leaves unsaid, one line each. */
export function policyGaps(method: DescMethod): string[] {
  const said = reflect(PolicySchema, getOption(method, policy));
  const unsaid = (field: DescField) => !said.isSet(field);
  return PolicySchema.fields.filter(unsaid).map((field) => `${pathOf(method)} leaves ${field.name} unspecified`);
}

const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

function nounOf(service: DescService): string {
  const noun = /^skein\.([a-z]+)\.v\d+\./.exec(service.typeName)?.[1];
  if (noun === undefined) throw new Error(`${service.typeName} is not in a package skein.<noun>.v<n>`);
  return noun;
}

function doorsOf(rule: HttpRule): HttpDoor[] {
  const { case: kind, value } = rule.pattern;
  const own = kind === undefined ? [] : [doorOf(kind, value)];
  return [...own, ...rule.additionalBindings.flatMap(doorsOf)];
}

function doorOf(kind: string, value: string | { kind: string; path: string }): HttpDoor {
  if (typeof value === "string") return { method: kind.toUpperCase(), template: value };
  return { method: value.kind, template: value.path };
}
