//! The OpenAPI document is valid, holds every RPC that has a path, and says what its policy says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { Validator } from "@seriousme/openapi-schema-validator";
import { http } from "#gen/google/api/annotations_pb.ts";
import { Auth, Idempotency, policy } from "#gen/skein/options/v1/options_pb.ts";
import { services } from "../../infra/envoy/rpcs.ts";
import { root } from "../command.ts";
import { yamlOf } from "../openapi/yaml.ts";

type Parameter = { name: string; in: string; required?: boolean };
type Operation = {
  description: string;
  security: object[];
  parameters?: Parameter[];
  requestBody?: { required: boolean };
  responses: Record<string, object>;
};
type Document = { paths: Record<string, Record<string, Operation>>; components: { schemas: Record<string, object> } };

const text = readFileSync(path.join(root, "gen/openapi.yaml"), "utf8");

async function validated(yaml: string) {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(yaml);
  return { valid, errors, version: validator.version, document: validator.specification as unknown as Document };
}

test("it is valid OpenAPI 3.1, and a fault in it is seen", async () => {
  const { valid, errors, version } = await validated(text);
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(version, "3.1");
  assert.equal((await validated(text.replace('in: "path"', 'in: "nowhere"'))).valid, false);
});

test("every RPC with a path is there, as its policy says", async () => {
  const { document } = await validated(text);
  const methods = services.flatMap((service) => service.methods).filter((method) => hasOption(method, http));
  assert.ok(methods.length >= 12);
  assert.equal(Object.values(document.paths).flatMap((item) => Object.keys(item)).length, methods.length);
  for (const method of methods) {
    const { pattern, body } = getOption(method, http);
    const { auth, idempotency } = getOption(method, policy);
    const operation = document.paths[String(pattern.value)]?.[String(pattern.case)];
    assert.ok(operation !== undefined, method.name);
    assert.match(operation.description, new RegExp(`^${method.name} `), "its comment");
    const open = operation.security.some((scheme) => Object.keys(scheme).length === 0);
    assert.equal(open, auth === Auth.PUBLIC, `${method.name}: security`);
    const named = operation.parameters?.map((parameter) => parameter.name) ?? [];
    assert.equal(named.includes("Idempotency-Key"), idempotency === Idempotency.KEYED, `${method.name}: key`);
    assert.equal(operation.requestBody !== undefined, body === "*", `${method.name}: body`);
    if (body === "*") assert.equal(operation.requestBody?.required, method.name !== "SavePost", `${method.name}: body`);
    for (const [, name = ""] of String(pattern.value).matchAll(/\{(\w+)\}/g)) assert.ok(named.includes(name));
    assert.ok("5XX" in operation.responses && "4XX" in operation.responses);
  }
});

test("whatever a text holds, YAML reads it back", async () => {
  const odd = {
    "a:b": "x: # y",
    list: [{}, [], ["a", { b: 1 }]],
    text: "line\nline \"q\" 'q' \u2028 🧶",
    no: "no",
    n: "1",
  };
  const { document } = await validated(`openapi: "3.1.1"\n${yamlOf({ odd })}`);
  assert.deepEqual((document as unknown as { odd: object }).odd, odd);
});
