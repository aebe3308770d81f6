import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Before, type Entry, entryOf } from "./entry.ts";

/** A launcher keeps 10 MiB of a log and as much of an older one; nothing longer is read at once. */
const readMaxBytes = 12 * 1024 * 1024;

/** The processes that have a log in a directory, sorted. */
export function processesIn(dir: string): string[] {
  try {
    const names = readdirSync(dir).flatMap((file) => /^(.+)\.log$/.exec(file)?.[1] ?? []);
    return names.sort();
  } catch {
    return [];
  }
}

export type Reader = {
  /** What was written since the last call, whole lines only. */
  read(): Entry[];
};

/**
 * Reads one process's log: first the last `tailBytes` of the older file and this one, then what is added. A log that is
 * full is copied to `.log.1` and cut, or renamed: what was not read yet is read there.
 */
export function openReader(dir: string, name: string, tailBytes: number): Reader {
  const file = join(dir, `${name}.log`);
  const older = `${file}.1`;
  let offset = 0;
  /** The older file as it was: another one there means that this one began again. */
  let olderMark = "";
  let rest = "";
  let before: Before = { time: statOf(older)?.time ?? statOf(file)?.time ?? Date.now(), level: "info" };
  let isFirst = true;

  function* linesOf(text: string): Generator<string> {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield line;
  }

  return {
    read() {
      const now = statOf(file);
      if (now === undefined) return [];
      const past = statOf(older);
      const texts: string[] = [];
      if (isFirst) {
        const olderBytes = past?.size ?? 0;
        const fromOlder = Math.max(0, Math.min(olderBytes, tailBytes - now.size));
        offset = Math.max(0, now.size - tailBytes);
        const text = textOf(older, olderBytes - fromOlder, olderBytes) + textOf(file, offset, now.size);
        const isCut = offset > 0 || (fromOlder > 0 && fromOlder < olderBytes);
        texts.push(isCut ? text.slice(text.indexOf("\n") + 1) : text);
        isFirst = false;
        olderMark = past?.mark ?? "";
      } else {
        // Copied and not cut yet is not begun again: the next look decides.
        const isOther = past !== undefined && past.mark !== olderMark && now.size < past.size;
        if (isOther) texts.push(textOf(older, offset, past.size));
        texts.push(textOf(file, isOther ? 0 : offset, now.size));
        if (isOther) olderMark = past.mark;
      }
      offset = now.size;
      const entries: Entry[] = [];
      for (const line of linesOf(texts.join(""))) {
        const entry = entryOf(name, line, before);
        before = entry;
        entries.push(entry);
      }
      return entries;
    },
  };
}

function textOf(file: string, from: number, to: number): string {
  const start = Math.max(from, to - readMaxBytes);
  if (to <= start) return "";
  try {
    const descriptor = openSync(file, "r");
    try {
      const bytes = Buffer.alloc(to - start);
      return bytes.toString("utf8", 0, readSync(descriptor, bytes, 0, bytes.length, start));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return "";
  }
}

type Stat = { size: number; time: number; mark: string };

function statOf(file: string): Stat | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  return { size: found.size, time: found.birthtimeMs, mark: `${found.ino}/${found.mtimeMs}` };
}
