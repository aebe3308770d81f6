import { Agent, type ClientRequest, request } from "node:http";

/** Longer than any deadline of the contracts: whoever hears nothing for so long was lost. */
const answerMs = 10_000;
const connectionsMax = 64;

export type Said = {
  /** 0 where no door answered. */
  readonly status: number;
  readonly body: Record<string, unknown>;
  /** What broke, where the first door did not answer. */
  readonly broke: readonly string[];
};

/** A client of several front doors. */
export type Edges = ReturnType<typeof openEdges>;

/**
 * What an SDK does: the first door, and once the next one where a connection fails or breaks off, with the same request
 * and the same key. An answer is an answer, whatever its status.
 */
export function openEdges(edges: readonly string[]) {
  const doors = edges.map((edge) => ({
    edge,
    agent: new Agent({ keepAlive: true, maxSockets: connectionsMax, scheduling: "lifo" }),
  }));
  return {
    async ask(method: string, path: string, init: { token: string; key?: string; body?: unknown }): Promise<Said> {
      const broke: string[] = [];
      // With one door, the second try is at the same one.
      for (const { edge, agent } of [...doors, ...doors].slice(0, 2)) {
        try {
          return { ...(await once(agent, `${edge}${path}`, method, init)), broke };
        } catch (reason) {
          broke.push(reason instanceof Error ? reason.message : String(reason));
        }
      }
      return { status: 0, body: {}, broke };
    },
    close: () => {
      for (const { agent } of doors) agent.destroy();
    },
  };
}

function once(
  agent: Agent,
  url: string,
  method: string,
  { token, key, body }: { token: string; key?: string; body?: unknown },
): Promise<Pick<Said, "status" | "body">> {
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${token}`,
    ...(key !== undefined && { "idempotency-key": key }),
    ...(sent !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
  };
  return new Promise((resolve, reject) => {
    const asked: ClientRequest = request(url, { agent, method, headers, timeout: answerMs }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("error", reject);
      answer.on("end", () => {
        const status = answer.statusCode ?? 0;
        try {
          resolve({ status, body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) });
        } catch {
          resolve({ status, body: { detail: text } });
        }
      });
    });
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${answerMs} ms`)));
    asked.on("error", reject);
    asked.end(sent);
  });
}
