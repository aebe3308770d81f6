import { closeSync, fsync, openSync, readFileSync, write } from "node:fs";
import { promisify } from "node:util";

/** What somebody sets and takes back: a follow, a like, a save or a repost of a post, a love of a comment. */
export type SwitchKind = "follow" | "like" | "save" | "repost" | "love";

/** What a client was told, or in the case of a failed switch what it does not know. */
export type Entry = { readonly time: number } & (
  | {
      readonly what: "post";
      readonly id: string;
      readonly author: string;
      readonly key: string;
      /** Where its photo is, below a door. */
      readonly photo?: string;
      /** What it links to, in its text. */
      readonly link?: string;
    }
  | {
      readonly what: "draft";
      readonly id: string;
      readonly author: string;
      readonly key: string;
      /** When it becomes public by itself. */
      readonly dueTime?: number;
    }
  | {
      readonly what: "comment";
      readonly id: string;
      readonly post: string;
      readonly author: string;
      readonly key: string;
    }
  | { readonly what: "vote"; readonly post: string; readonly who: string; readonly option: number }
  | { readonly what: "edit"; readonly id: string; readonly version: number }
  | { readonly what: "delete"; readonly id: string; readonly isAcknowledged: boolean }
  | { readonly what: "position"; readonly who: string; readonly at: string }
  | {
      readonly what: SwitchKind;
      readonly who: string;
      readonly whom: string;
      readonly isOn: boolean;
      readonly isAcknowledged: boolean;
    }
);

type NewEntry = Entry extends infer One ? (One extends Entry ? Omit<One, "time"> : never) : never;

/** Lines that wait for one fsync; an open loop of writers stays far below. Beyond it `record` fails. */
const waitingMax = 10_000;

/** A journal of acknowledged writes. */
export type Journal = ReturnType<typeof openJournal>;

/**
 * One JSON line an entry. `record` resolves when the line is on the disk: before that the write does not count as
 * acknowledged. Lines that come while one fsync is under way share the next, which begins at once.
 */
export function openJournal(file: string) {
  const descriptor = openSync(file, "a");
  let waiting: { line: string; done: () => void; failed: (reason: unknown) => void }[] = [];
  let flushing: Promise<void> | undefined;

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await writeAll(descriptor, Buffer.from(batch.map(({ line }) => line).join("")));
        await fsynced(descriptor);
        for (const { done } of batch) done();
      } catch (reason) {
        for (const { failed } of batch) failed(reason);
      }
    }
    flushing = undefined;
  }

  return {
    file,
    record(entry: NewEntry): Promise<void> {
      if (waiting.length >= waitingMax) throw new Error(`${waitingMax} lines of ${file} wait for the disk`);
      return new Promise((done, failed) => {
        waiting.push({ line: `${JSON.stringify({ time: Date.now(), ...entry })}\n`, done, failed });
        flushing ??= flush();
      });
    },
    async close(): Promise<void> {
      await flushing;
      closeSync(descriptor);
    },
  };
}

/** A journal as it is on the disk. */
export const readJournal = (file: string): Entry[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Entry);

const fsynced = promisify(fsync);
const written = promisify(write) as unknown as (descriptor: number, bytes: Buffer) => Promise<{ bytesWritten: number }>;

async function writeAll(descriptor: number, bytes: Buffer): Promise<void> {
  for (let rest = bytes; rest.length > 0; ) rest = rest.subarray((await written(descriptor, rest)).bytesWritten);
}
