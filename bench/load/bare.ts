//! The yardstick: a Koa that does nothing but answer the bytes that its parent gives it.

import type { AddressInfo } from "node:net";
import Koa from "koa";

const app = new Koa();
let page = Buffer.alloc(0);
app.use((ctx) => {
  ctx.type = "application/json";
  ctx.body = page;
});
process.on("message", (bytes: Uint8Array) => {
  page = Buffer.from(bytes);
  process.send?.("taken");
});
process.on("disconnect", () => process.exit());
const server = app.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
