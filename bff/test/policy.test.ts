import assert from "node:assert/strict";
import { test } from "node:test";
import { create, createFileRegistry, type DescService, setExtension } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  MethodDescriptorProtoSchema,
  MethodOptionsSchema,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { http } from "#gen/google/api/annotations_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { Auth, Idempotency, type Policy, PolicySchema, policy, RateClass } from "#gen/skein/options/v1/options_pb.ts";
import { UserService as InternalUserService } from "#gen/skein/user/v1/user_pb.ts";
import { bind } from "../src/door/binding.ts";
import { createConsistency } from "../src/door/consistency.ts";
import { type Rpc, rpcsOf } from "../src/door/rpc.ts";
import { createRpcDoor } from "../src/door/rpc-door.ts";
import { naming } from "../src/middleware/request-id.ts";
import { consistencyKey, memoryLog, unlimited } from "./serve.ts";

/** A service with one RPC whose contract names a path and this policy, or none. */
function planted(rules?: Partial<Policy>): DescService {
  const options = create(MethodOptionsSchema);
  setExtension(options, http, { pattern: { case: "post", value: "/v1/planted" }, body: "*" } as never);
  if (rules !== undefined) setExtension(options, policy, create(PolicySchema, rules as Policy));
  const type = ".skein.api.v1.X";
  const go = create(MethodDescriptorProtoSchema, { name: "Go", inputType: type, outputType: type, options });
  const file = create(FileDescriptorProtoSchema, {
    name: "skein/api/v1/x.proto",
    package: "skein.api.v1",
    syntax: "proto3",
    messageType: [{ name: "X" }],
    service: [create(ServiceDescriptorProtoSchema, { name: "XService", method: [go] })],
  });
  const service = createFileRegistry(file, () => undefined).getService("skein.api.v1.XService");
  assert.ok(service !== undefined);
  return service;
}

const whole = {
  auth: Auth.USER,
  rate: RateClass.READ,
  idempotency: Idempotency.SAFE,
  timeoutMs: 1_000,
};
const rpcs = (rules?: Partial<Policy>): Rpc[] => rpcsOf(planted(rules), { go: () => ({}) } as never);

/** Opens each door for these RPCs. */
const doors: Record<string, (of: readonly Rpc[]) => unknown> = {
  json: bind,
  rpc: (of) =>
    createRpcDoor({
      rpcs: of,
      name: naming(() => false),
      log: memoryLog(),
      session: { viewerOf: async () => undefined },
      limits: unlimited,
      consistency: createConsistency(consistencyKey),
      admission: { enter: () => () => {} },
      readiness: { serving: true },
      reflects: false,
    }),
};

for (const [name, open] of Object.entries(doors)) {
  test(`the ${name} door opens an RPC whose policy is whole, and no other`, () => {
    open(rpcs(whole));
    assert.throws(() => open(rpcs()), /XService\.Go: its policy is not for clients/, "without a policy");
    for (const missing of Object.keys(whole)) {
      assert.throws(() => open(rpcs({ ...whole, [missing]: 0 })), /XService\.Go/, `without ${missing}`);
    }
    assert.throws(() => open(rpcs({ ...whole, auth: Auth.SERVICE })), /its policy is not for clients/);
  });
}

test("a service that misses a handler, or is spoken inside only, fails the start", () => {
  assert.throws(() => rpcsOf(PostService, {} as never), /PostService\.CreatePost has no handler/);
  const internal = Object.fromEntries(InternalUserService.methods.map(({ localName }) => [localName, () => ({})]));
  const inside = rpcsOf(InternalUserService, internal as never);
  assert.deepEqual(bind(inside), [], "it has no path");
  assert.throws(() => doors.rpc?.(inside), /its policy is not for clients/);
});
