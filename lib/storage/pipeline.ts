import { type ChainableCommander, type Redis as Client, type Command, Pipeline as Theirs } from "ioredis";

/**
 * Commands that are sent together by one write. The client's own kind defines a property on each of its objects, by a function
 * of its own. That gives each object a shape of its own, and shapes are collected by full collections alone: until then
 * they keep the pipeline, its commands, their answers and all that waits for those. With some thousands a second half of the young
 * space survived, and each collection of it stopped the process.
 */
class Pipeline {
  /** The client's methods, one for each command, look at these. */
  readonly options: Client["options"];
  readonly isPipeline = true;
  readonly #client: Client;
  readonly #commands: Command[] = [];

  constructor(client: Client) {
    this.#client = client;
    this.options = client.options;
  }

  get length(): number {
    return this.#commands.length;
  }

  sendCommand(command: Command): this {
    this.#commands.push(command);
    return this;
  }

  /** Sends them, and waits for all: in the place of each its answer, or the Error with which it failed. */
  answers(): Promise<unknown[]> {
    const commands = this.#commands;
    const answers: unknown[] = new Array(commands.length);
    let missing = commands.length;
    if (missing === 0) return Promise.resolve(answers);
    const gathered = gathering();
    const answered = new Promise<unknown[]>((resolve) => {
      for (const [nth, command] of commands.entries()) {
        const settle = (answer: unknown): void => {
          answers[nth] = answer;
          if (--missing === 0) resolve(answers);
        };
        command.promise.then(settle, settle);
        this.#client.sendCommand(command, gathered as never);
      }
    });
    const bytes = gathered.bytes();
    if (bytes.length > 0) this.#client.stream.write(bytes);
    return answered;
  }
}
// What all of the client's commanders inherit: a method for each command, which makes it and hands it to `sendCommand`.
Object.setPrototypeOf(Pipeline.prototype, Object.getPrototypeOf(Theirs.prototype));

/** What a client writes its commands to, to be sent as one. */
function gathering() {
  const parts: (string | Buffer)[] = [];
  return {
    write: (part: string | Buffer): boolean => parts.push(part) > 0,
    bytes: (): string | Buffer =>
      parts.every((part) => typeof part === "string") ? parts.join("") : Buffer.concat(parts.map(bytesOf)),
  };
}

const bytesOf = (part: string | Buffer): Buffer => (typeof part === "string" ? Buffer.from(part) : part);

export const openPipeline = (client: Client): ChainableCommander =>
  new Pipeline(client) as unknown as ChainableCommander;

/** Sends what was put into a pipeline: the answers in its order, an Error for a command that failed. */
export const answersTo = (pipeline: ChainableCommander): Promise<unknown[]> =>
  (pipeline as unknown as Pipeline).answers();
