import net from "node:net";

/** What came back. `status` 0: the connection broke before the answer was whole. */
export type Answer = { readonly status: number; readonly body: Buffer };

export type Connection = ReturnType<typeof openConnection>;

/** Between two tries to connect; and who was refused waits as long before asking again. */
const againMs = 20;
const headEnd = "\r\n\r\n";
const lengthName = "\ncontent-length:";

/**
 * One keep-alive connection of HTTP/1.1 that sends bytes made before and reads of an answer its status and its length: an
 * own client, because the cost of a real one would hide that of a fast server. A connection that breaks is opened again.
 */
export function openConnection({
  host,
  port,
  onReady,
  onAnswer,
}: {
  host: string;
  port: number;
  /** May send now: connected, and nothing under way. */
  onReady(): void;
  onAnswer(answer: Answer): void;
}) {
  let socket: net.Socket | undefined;
  let isWaiting = false;
  let isClosed = false;
  let reading = nothingYet();

  const answered = (answer: Answer) => {
    isWaiting = false;
    reading = nothingYet();
    onAnswer(answer);
  };

  function connect(): void {
    const opened = net.connect({ host, port, noDelay: true });
    socket = opened;
    opened.once("connect", onReady);
    opened.on("error", () => {}); // Its close follows, and says all there is to say.
    opened.on("data", (chunk: Buffer) => {
      const status = read(reading, chunk);
      if (status === undefined) return;
      const { head, parts, length } = reading;
      const body = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, length);
      answered({ status, body });
      if (/\nconnection: close/i.test(head)) return;
      if (status < 500) onReady();
      else setTimeout(() => opened === socket && !opened.destroyed && onReady(), againMs);
    });
    opened.once("close", () => {
      if (isWaiting) answered({ status: 0, body: Buffer.alloc(0) });
      if (!isClosed) setTimeout(connect, againMs);
    });
  }
  connect();

  return {
    send(request: Buffer): void {
      isWaiting = true;
      socket?.write(request);
    },
    close(): void {
      isClosed = true;
      socket?.destroy();
    },
  };
}

type Reading = { head: string; held: Buffer; parts: Buffer[]; length: number; left: number; status: number };

const nothingYet = (): Reading => ({ head: "", held: Buffer.alloc(0), parts: [], length: 0, left: 0, status: 0 });

/** Takes what came; the status once the answer is whole. */
function read(reading: Reading, chunk: Buffer): number | undefined {
  let rest = chunk;
  if (reading.head === "") {
    const bytes = reading.held.length === 0 ? chunk : Buffer.concat([reading.held, chunk]);
    const end = bytes.indexOf(headEnd);
    if (end === -1) {
      reading.held = bytes;
      return undefined;
    }
    reading.head = bytes.toString("latin1", 0, end);
    reading.status = Number(reading.head.slice(9, 12));
    reading.length = lengthOf(reading.head, reading.status);
    reading.left = reading.length;
    rest = bytes.subarray(end + headEnd.length);
  }
  if (rest.length > 0) reading.parts.push(rest);
  reading.left -= rest.length;
  return reading.left <= 0 ? reading.status : undefined;
}

/** Node writes Content-Length, Envoy content-length. */
function lengthOf(head: string, status: number): number {
  let at = head.indexOf(lengthName);
  if (at === -1) at = head.toLowerCase().indexOf(lengthName);
  if (at !== -1) return Number.parseInt(head.slice(at + lengthName.length), 10);
  if (status === 204 || status === 304) return 0;
  throw new Error(`an answer without a length: ${head}`);
}
