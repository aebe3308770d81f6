import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";

/** What a name server says of a name, one answer after another, the last one from then on. No answer: there is no such name. */
type Zone = Readonly<Record<string, readonly string[]>>;

/** A name server (RFC 1035) that knows addresses of IPv4, until the test ends. `asked` are the names it was asked for one. */
export async function nameServer(t: TestContext, zone: Zone): Promise<{ at: string; asked: string[] }> {
  const asked: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (query, { address, port }) => {
    const { name, end, type } = questionOf(query);
    const known = zone[name];
    if (type === a) asked.push(name);
    const nth = asked.filter((one) => one === name).length - 1;
    const found = type === a && known !== undefined ? known[Math.min(nth, known.length - 1)] : undefined;
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (known === undefined ? 3 : 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(found === undefined ? 0 : 1, 6);
    const answer = found === undefined ? Buffer.alloc(0) : addressRecord(found);
    socket.send(Buffer.concat([head, query.subarray(12, end), answer]), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  return { at: `127.0.0.1:${socket.address().port}`, asked };
}

/** The type of a record that holds an address of IPv4. */
const a = 1;

function questionOf(query: Buffer): { name: string; end: number; type: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), end: at + 5, type: query.readUInt16BE(at + 1) };
}

/** The name is that of the question; nobody is to remember it. */
const addressRecord = (address: string): Buffer =>
  Buffer.from([0xc0, 12, 0, a, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]);
