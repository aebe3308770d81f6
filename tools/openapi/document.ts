import { type DescFile, type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "#gen/google/api/annotations_pb.ts";
import { Auth, Idempotency, policy } from "#gen/skein/options/v1/options_pb.ts";
import { isBodyOptional, successStatus } from "../../bff/src/door/binding.ts";
import { commentOf, summaryOf } from "./comments.ts";
import { createSchemas, type Schemas } from "./schema.ts";
import type { Value } from "./yaml.ts";

type Operation = { readonly verb: string; readonly path: string; readonly value: Value };

/** OpenAPI 3.1 of every RPC of these files that has a path: https://spec.openapis.org/oas/v3.1.1.html. */
export function documentOf(files: readonly DescFile[], version: string): Value {
  const schemas = createSchemas();
  const services = files.flatMap((file) => file.services);
  const methods = services.flatMap((service) => service.methods).filter((method) => hasOption(method, http));
  const operations = methods.map((method) => operationOf(method, schemas));
  const paths: Record<string, Record<string, Value>> = {};
  for (const { verb, path, value } of operations) paths[path] = { ...paths[path], [verb]: value };
  return {
    openapi: "3.1.1",
    info: {
      title: "Skein",
      version,
      description:
        "A social network. The same calls are spoken as Connect, gRPC-web and gRPC under /skein.api.v1. " +
        "Ids are strings that sort by time. Pages answer nextPageToken, empty at the end.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: services.map((service) => ({ name: service.name, description: commentOf(service) ?? "" })),
    paths,
    components: {
      schemas: { ...sorted(schemas.named), Problem: problem },
      responses: { Problem: problemResponse },
      parameters: { ConsistencyToken: consistencyParameter },
      headers: { ConsistencyToken: consistencyHeader },
      securitySchemes: { accessToken: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  };
}

function operationOf(method: DescMethod, schemas: Schemas): Operation {
  const { pattern, body } = getOption(method, http);
  const { auth, idempotency, timeoutMs } = getOption(method, policy);
  const comment = commentOf(method) ?? method.name;
  const verb = String(pattern.case);
  const path = String(pattern.value);
  const isKeyed = idempotency === Idempotency.KEYED;
  const isWrite = idempotency !== Idempotency.SAFE;
  const parameters = [
    ...fieldParameters(method, path, body === "*", schemas),
    ...(isKeyed ? [keyParameter] : []),
    { $ref: "#/components/parameters/ConsistencyToken" },
  ];
  const value = {
    operationId: `${method.parent.name}_${method.name}`,
    tags: [method.parent.name],
    summary: summaryOf(comment),
    description: comment,
    security: auth === Auth.USER ? [{ accessToken: [] }] : [{}, { accessToken: [] }],
    "x-timeout-ms": timeoutMs,
    parameters,
    ...(body === "*" && {
      requestBody: { required: !isBodyOptional(method), content: jsonOf(schemas.refer(method.input)) },
    }),
    responses: {
      [successStatus(method)]: { description: "Done.", ...successOf(method, { isKeyed, isWrite }, schemas) },
      ...Object.fromEntries(
        refusals(auth, isKeyed).map((status) => [status, { $ref: "#/components/responses/Problem" }]),
      ),
    },
  };
  return { verb, path, value };
}

/** Fields of the path, and without a body the others in the query. */
function fieldParameters({ input }: DescMethod, path: string, hasBody: boolean, schemas: Schemas): Value[] {
  return input.fields.flatMap((field) => {
    const inPath = path.includes(`{${field.name}}`);
    if (!inPath && hasBody) return [];
    const { description, ...schema } = schemas.ofField(field);
    return [
      {
        name: inPath ? field.name : field.jsonName,
        in: inPath ? "path" : "query",
        ...(inPath && { required: true }),
        ...(description !== undefined && { description }),
        schema,
      },
    ];
  });
}

function successOf(
  method: DescMethod,
  { isKeyed, isWrite }: { isKeyed: boolean; isWrite: boolean },
  schemas: Schemas,
): Record<string, Value> {
  const { responseBody } = getOption(method, http);
  const shown = method.output.fields.find(({ name }) => name === responseBody)?.message ?? method.output;
  return {
    ...(isWrite && {
      headers: {
        "Consistency-Token": { $ref: "#/components/headers/ConsistencyToken" },
        ...(isKeyed && { "Idempotency-Replayed": replayedHeader }),
      },
    }),
    content: jsonOf(schemas.refer(shown)),
  };
}

/** The statuses worth a client's own branch; the ranges hold the rest. */
const refusals = (auth: Auth, isKeyed: boolean): string[] => [
  "400",
  ...(auth === Auth.USER ? ["401"] : []),
  ...(isKeyed ? ["422"] : []),
  "4XX",
  "5XX",
];

const jsonOf = (schema: Value): Value => ({ "application/json": { schema } });

const keyParameter: Value = {
  name: "Idempotency-Key",
  in: "header",
  required: true,
  description: "The same key answers what the first call answered; with another request it is refused with 422.",
  schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" },
};
const replayedHeader: Value = {
  description: "true where this is the first call's answer.",
  schema: { type: "string" },
};

const consistencyParameter: Value = {
  name: "Consistency-Token",
  in: "header",
  description:
    "The token of an answer from the last five minutes: what is answered is not older than that write. Browsers carry it as a cookie by themselves.",
  schema: { type: "string", pattern: "^[A-Za-z0-9_-]{24,512}$" },
};
const consistencyHeader: Value = {
  description: "Names this write, and those its sender had seen. Send it with reads that must not be older; opaque.",
  schema: { type: "string" },
};

/** https://www.rfc-editor.org/rfc/rfc9457 */
const problem: Value = {
  type: "object",
  description: "Why a request was refused: RFC 9457.",
  required: ["type", "title", "status"],
  properties: {
    type: { type: "string", description: "/problems/<reason>; the reason is stable." },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string", description: "The request, as logs know it." },
    traceId: { type: "string" },
    errors: {
      type: "array",
      description: "Each field at fault, named where it was written: /text, ?pageSize, {user}.",
      items: {
        type: "object",
        required: ["pointer", "detail"],
        properties: { pointer: { type: "string" }, detail: { type: "string" } },
      },
    },
  },
};
const problemResponse: Value = {
  description: "Refused.",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

const sorted = <T>(map: ReadonlyMap<string, T>): Record<string, T> =>
  Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
