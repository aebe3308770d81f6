import type { TestContext } from "node:test";
import { createClients } from "../src/clients.ts";
import { publicRpcs } from "../src/routes/routes.ts";
import { meshOf } from "./mesh.ts";
import { bearer, memoryLog, serve, unlimited } from "./serve.ts";

const anna = { id: "1", version: 1n, username: "anna" };
const ben = { id: "2", version: 1n, username: "ben" };

/** The BFF before a mesh with two users, until the test ends. */
export async function bff(t: TestContext) {
  const mesh = await meshOf(t, [{ ...anna }, { ...ben }]);
  const door = await serve(t, publicRpcs(createClients(mesh.transport, memoryLog()), unlimited));
  const write = async (text: string, key: string, viewerId = "1") => {
    const headers = { ...(await bearer(viewerId)), "idempotency-key": key };
    return await door.post("/v1/posts", JSON.stringify({ text }), headers);
  };
  const as = async (viewerId: string, path: string, method = "GET") => {
    mesh.calls.length = 0;
    return await door.ask(path, { method, headers: await bearer(viewerId) });
  };
  return { ...door, mesh, write, as };
}
