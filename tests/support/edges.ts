import { Agent, type ClientRequest, request } from "node:http";

/** Longer than any deadline of the contracts: whoever hears nothing for so long was lost. */
const answerMs = 10_000;
const connectionsMax = 64;

type Options = {
  /** Without an answer for so long, waiting for a connection included, the next door is tried. */
  readonly answerMs?: number;
  /** Of one door. */
  readonly connectionsMax?: number;
  /** Whether a client stays with the door that answered last. */
  readonly stays?: boolean;
};

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
export function openEdges(edges: readonly string[], options: Options = {}) {
  const doors = edges.map((edge) => ({
    edge,
    agent: new Agent({ keepAlive: true, maxSockets: options.connectionsMax ?? connectionsMax, scheduling: "lifo" }),
  }));
  const limitMs = options.answerMs ?? answerMs;
  let first = 0;
  return {
    /** Where they are, for what is not JSON. */
    doors: edges,
    async ask(method: string, path: string, init: { token: string; key?: string; body?: unknown }): Promise<Said> {
      const broke: string[] = [];
      // With one door, the second try is at the same one.
      const began = first;
      for (const nth of [began, began + 1].map((at) => at % doors.length)) {
        const { edge, agent } = doors[nth] as (typeof doors)[0];
        try {
          const said = await once(agent, `${edge}${path}`, method, { ...init, limitMs });
          if (options.stays) first = nth;
          return { ...said, broke };
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
  { token, key, body, limitMs }: { token: string; key?: string; body?: unknown; limitMs: number },
): Promise<Pick<Said, "status" | "body">> {
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${token}`,
    ...(key !== undefined && { "idempotency-key": key }),
    ...(sent !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
  };
  return new Promise((resolve, reject) => {
    const asked: ClientRequest = request(url, { agent, method, headers }, (answer) => {
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
    const late = setTimeout(() => asked.destroy(new Error(`no answer within ${limitMs} ms`)), limitMs);
    asked.on("close", () => clearTimeout(late));
    asked.on("error", reject);
    asked.end(sent);
  });
}
