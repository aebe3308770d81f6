import { execFile } from "node:child_process";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { answered, type Door, headersOf, refused } from "./outcome.ts";

/** `buf curl`, a process for each call. With gRPC it asks the server for the schema, otherwise it reads proto/. */
export function bufDoor(edge: string, protocol: "connect" | "grpcweb" | "grpc"): Door {
  const how = protocol === "grpc" ? ["--http2-prior-knowledge"] : ["--schema", "proto"];
  return {
    name: `buf curl, ${protocol}`,
    async call(method, request, head) {
      const headers = Object.entries(headersOf(head)).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
      const url = `${edge}/${method.parent.typeName}/${method.name}`;
      const args = ["curl", "--protocol", protocol, ...how, ...headers, "-v", "-d", JSON.stringify(request), url];
      const { code, stdout, stderr } = await run(args);
      if (code !== 0) return refused(errorIn(stdout, stderr));
      const message = fromJson(method.output, JSON.parse(stdout));
      return answered(method, message, /idempotency-replayed: true/i.test(stderr));
    },
    close: () => {},
  };
}

const run = (args: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile("node_modules/.bin/buf", args, (err, stdout, stderr) =>
      resolve({ code: err === null ? 0 : Number(err.code), stdout, stderr }),
    );
  });

type Told = JsonObject & { code: string; message: string; details?: { type: string; value: string }[] };

/** The last JSON object that buf printed: what it makes of an error, at any protocol. */
function errorIn(stdout: string, stderr: string): ConnectError {
  const text = /^\{\n[\s\S]*?^\}/m.exec(stdout)?.[0] ?? /^\{\n[\s\S]*?^\}/m.exec(stderr)?.[0];
  if (text === undefined) throw new Error(`buf said: ${stdout}${stderr}`);
  const { code, message, details = [] } = JSON.parse(text) as Told;
  const err = new ConnectError(message, codeFromString(code) ?? Code.Unknown);
  err.details = details.map(({ type, value }) => ({ type, value: Buffer.from(value, "base64") }));
  return err;
}
