import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";

type Response = Parameters<typeof universalResponseToNodeResponse>[1];

/**
 * Writes an answer; resolves when its last byte is handed over, or nobody is left to take it. connect-node by itself never
 * does: it waits for an "end" that no response of Node emits (2.2.0), where "close" is meant.
 */
export async function writeResponse(response: UniversalServerResponse, res: Response): Promise<void> {
  const closed = new Promise<void>((done) => res.once("close", done));
  await Promise.race([universalResponseToNodeResponse(response, res), closed]);
}
