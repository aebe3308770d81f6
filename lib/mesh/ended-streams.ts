//! Cuts what an ended HTTP/2 stream holds from it, in every process that serves or calls.
//!
//! Node keeps the object of a stream until the next full collection, long after its end: its handle counts as used in every young
//! one. Its listeners hold the call, and that its request, its answer and all that was made for them, so a quarter of
//! all objects outlived the young collections that should have taken them, and each of those stopped the process for 10 to 20 ms.
//! https://nodejs.org/api/diagnostics_channel.html#http2

import { subscribe } from "node:diagnostics_channel";
import type { Http2Stream } from "node:http2";

const nothing = (): void => {};

for (const side of ["client", "server"]) {
  subscribe(`http2.${side}.stream.close`, (message) => {
    const { stream } = message as { stream: Http2Stream };
    // Told before its own listeners are, so this one comes last. An error after it is nobody's, and must not end the process.
    stream.once("close", () => stream.removeAllListeners().on("error", nothing));
  });
}
