import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { Code } from "@connectrpc/connect";
import { problem } from "#lib/mesh/errors.ts";

const derive = promisify(argon2);

/** OWASP password storage cheat sheet: Argon2id with 19 MiB, 2 passes, 1 lane, at least. */
const passes = 2;
const lanes = 1;
const tagBytes = 32;
const saltBytes = 16;
/** Derivations at once: each fills its memory, and the thread pool is shared. */
const atOnceMax = 2;
/** Derivations that wait: what two cores can do within the five seconds a sign-in has. One more is refused. */
const waitingMax = 256;

export type Passwords = ReturnType<typeof passwords>;

/** Argon2id by Node's own crypto, off the event loop, bounded. Hashes are PHC strings, so parameters may grow. */
export function passwords({ memoryKib }: { memoryKib: number }) {
  let running = 0;
  const waiting: (() => void)[] = [];

  async function bounded<T>(work: () => Promise<T>): Promise<T> {
    if (running >= atOnceMax) {
      if (waiting.length >= waitingMax)
        throw problem(Code.ResourceExhausted, "overloaded", "too many sign-ins at once");
      await new Promise<void>((go) => waiting.push(go));
    }
    running++;
    try {
      return await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  }

  const tagOf = (password: string, nonce: Buffer, memory: number) =>
    bounded(() =>
      derive("argon2id", { message: password, nonce, parallelism: lanes, tagLength: tagBytes, memory, passes }),
    );

  const hash = async (password: string): Promise<string> => {
    const salt = randomBytes(saltBytes);
    const tag = await tagOf(password, salt, memoryKib);
    return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${phc(salt)}$${phc(tag)}`;
  };

  /** What an unknown name is checked against, so that it takes as long as a known one. */
  const nobody = hash(randomBytes(16).toString("hex"));

  return {
    hash,
    /** Whether a password is the one behind a hash; without a hash (no such user, no log-in allowed) it is not. */
    async verify(password: string, stored: string | undefined): Promise<boolean> {
      const [, , , parameters = "", salt = "", tag = ""] = (stored || (await nobody)).split("$");
      const memory = Number(/m=(\d+)/.exec(parameters)?.[1]);
      const made = await tagOf(password, Buffer.from(salt, "base64"), memory);
      return timingSafeEqual(made, Buffer.from(tag, "base64")) && stored !== undefined && stored !== "";
    },
  };
}

const phc = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");
