import { connect } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "#gen/grpc/health/v1/health_pb.ts";
import { methodDefinition } from "#lib/mesh/codec.ts";

/** A probe asks a process on this machine; an answer that takes longer is no answer. */
const probeTimeoutMs = 1_000;
const answerMaxBytes = 16 * 1024;

/** Connects, writes, and collects until the answer matches. No driver: these are the first bytes of each protocol. */
export function answers(
  { host, port }: { host: string; port: number },
  { write = "", pattern }: { write?: string; pattern: RegExp },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let answer = "";
    const finish = (result: string | undefined) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(probeTimeoutMs, () => finish(undefined));
    socket.on("error", () => finish(undefined));
    socket.on("close", () => finish(undefined));
    socket.on("connect", () => socket.write(write));
    socket.on("data", (bytes) => {
      answer += bytes.toString("latin1");
      if (pattern.test(answer)) finish(answer);
      else if (answer.length > answerMaxBytes) finish(undefined);
    });
  });
}

/** The status of a GET, or undefined where nobody answers. */
export async function httpStatus(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(probeTimeoutMs) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return undefined;
  }
}

/** Whether a process says now that it is well; `grpc://` asks grpc.health.v1, anything else must answer 200. */
export async function isWell(url: string): Promise<boolean> {
  return url.startsWith("grpc:") ? saysServing(new URL(url).host) : (await httpStatus(url)) === 200;
}

function saysServing(address: string): Promise<boolean> {
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const deadline = Date.now() + probeTimeoutMs;
  const check = methodDefinition(Health.method.check);
  return new Promise((resolve) => {
    const ask = create(HealthCheckRequestSchema);
    const { path, requestSerialize, responseDeserialize } = check;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, ask, { deadline }, (error, answer) => {
      client.close();
      const said = answer as HealthCheckResponse | undefined;
      resolve(error === null && said?.status === HealthCheckResponse_ServingStatus.SERVING);
    });
  });
}

/** A MySQL server greets first; its version is the first thing in it that can be read. */
export const mysqlGreeting = /\d+\.\d+\.\d+/;
