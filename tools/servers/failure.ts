/** What the launcher's exit codes mean. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, notRunning: 3, alreadyRunning: 4 } as const;

/** Something a person has to put right: the message is one line that says what to do. */
export class LaunchFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "LaunchFailure";
    this.exitCode = options.exitCode ?? exitCodes.failed;
  }
}

/** A place that programs come from does not give one; another way to get it may help. */
export class SourceFailure extends LaunchFailure {}

/** Turns a failed write into the line a person needs; everything else passes unchanged. */
export function writeFailure(error: unknown, dir: string, remedy: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOSPC")
    return new LaunchFailure(`the disk that holds ${dir} is full; free some space`, { cause: error });
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOTDIR") {
    return new LaunchFailure(`cannot write ${dir} (${code}); ${remedy}`, { cause: error });
  }
  return error;
}
