import { connect, createServer, type Socket } from "node:net";

/** What the way to a server is like. */
export const weathers = ["latency", "cut", "blackhole"] as const;
export type Weather = (typeof weathers)[number] | "clear";

/** Added to each piece of an answer while there is latency. */
const latencyMs = 200;

/** A way to a server that can be made bad. */
export type Way = Awaited<ReturnType<typeof openWay>>;

/**
 * Stands between clients and a server on this machine.
 *   latency    what the server says comes 200 ms later
 *   cut        connections are reset, and new ones too
 *   blackhole  connections stay and are accepted, and nothing comes through; what was written meanwhile is reset after
 */
export async function openWay(target: { host: string; port: number }) {
  let weather: Weather = "clear";
  const pairs = new Set<readonly [Socket, Socket]>();

  const server = createServer((client) => {
    if (weather === "cut") return client.resetAndDestroy();
    const upstream = connect(target);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => end(pair));
    }
    carry(client, upstream, () => 0);
    carry(upstream, client, () => (weather === "latency" ? latencyMs : 0));
    if (weather === "blackhole") for (const socket of pair) socket.pause();
  });

  function end(pair: readonly [Socket, Socket]): void {
    pairs.delete(pair);
    for (const socket of pair) if (!socket.destroyed) socket.resetAndDestroy();
  }

  await new Promise<void>((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  return {
    port,
    turn(next: Weather): void {
      const wasLost = weather === "blackhole";
      weather = next;
      if (next === "cut" || wasLost) for (const pair of pairs) end(pair);
      if (next === "blackhole") for (const socket of [...pairs].flat()) socket.pause();
    },
    async close(): Promise<void> {
      for (const pair of pairs) end(pair);
      await new Promise((done) => server.close(done));
    },
  };
}

/**
 * Bytes one way, in order: a delayed piece holds back those after it. One timer at a time sends all that is due: of two
 * timers the later one may fire first where it was set for less, and answers would change places.
 */
function carry(from: Socket, to: Socket, delayMs: () => number): void {
  const held: { readonly bytes: Buffer; readonly dueTime: number }[] = [];
  let isEnding = false;
  let timer: NodeJS.Timeout | undefined;

  const send = () => {
    timer = undefined;
    while (held[0] !== undefined && held[0].dueTime <= Date.now()) {
      const { bytes } = held.shift() as { bytes: Buffer };
      if (to.destroyed || to.write(bytes)) continue;
      from.pause();
      to.once("drain", () => from.resume());
    }
    if (held[0] !== undefined) timer = setTimeout(send, held[0].dueTime - Date.now());
    else if (isEnding) to.end();
  };
  from.on("data", (bytes) => {
    held.push({ bytes, dueTime: Math.max(held.at(-1)?.dueTime ?? 0, Date.now() + delayMs()) });
    if (timer === undefined) send();
  });
  from.on("end", () => {
    isEnding = true;
    if (timer === undefined) send();
  });
}
