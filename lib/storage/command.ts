import { type ChainableCommander, Command, type Pipeline } from "ioredis";

type Args = readonly (string | number | Buffer)[];

/** Adds a command of many arguments to a pipeline; the answer to it is text, or bytes where that is asked for. */
export function add(
  pipeline: ChainableCommander,
  name: string,
  args: Args,
  answer: "text" | "bytes",
): ChainableCommander {
  const command = new FlatCommand(name, [...args], { replyEncoding: answer === "text" ? "utf8" : null });
  (pipeline as unknown as Pipeline).sendCommand(command);
  return pipeline;
}

/**
 * A command written as one flat string, or one buffer where it holds bytes. The client's own way adds each argument to a rope, or to a
 * list of buffers, which costs several times as much to flatten when it is sent: a read of a feed has some hundreds of keys and ids.
 */
class FlatCommand extends Command {
  override toWritable(socket: object): string | Buffer {
    const { name, args } = this;
    const parts = [`*${args.length + 1}\r\n`, headOf(name), name, "\r\n"];
    let isBinary = false;
    for (const arg of args) {
      if (typeof arg !== "string" && !Buffer.isBuffer(arg)) return super.toWritable(socket);
      isBinary ||= typeof arg !== "string";
      parts.push(headOf(arg), typeof arg === "string" ? arg : arg.toString("latin1"), "\r\n");
    }
    const flat = parts.join("");
    // Lengths are those of ASCII, as keys and ids are; of other texts the client knows the length.
    if (!isBinary) return isAscii(flat) ? flat : super.toWritable(socket);
    const isPlain = args.every((arg) => typeof arg !== "string" || isAscii(arg));
    return isPlain ? Buffer.from(flat, "latin1") : super.toWritable(socket);
  }
}

const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length;

const heads = Array.from({ length: 128 }, (_, bytes) => `$${bytes}\r\n`);

/** How long an argument is, as the protocol has it: https://redis.io/docs/latest/develop/reference/protocol-spec/#bulk-strings. */
const headOf = ({ length }: string | Buffer): string => heads[length] ?? `$${length}\r\n`;
