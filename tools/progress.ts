/** A rate is taken over this much of the past: long enough to be calm, short enough to show a slowdown. */
const rateWindowMs = 10_000;
/** A terminal's one line is written anew this often; elsewhere a line is a line of somebody's log. */
const terminalEachMs = 200;
const logEachMs = 5_000;

/** How far something is. Without a total there is no time left. */
export type Step = {
  readonly what: string;
  readonly done: number;
  readonly total?: number | undefined;
  readonly perSecond?: number | undefined;
};

export type Progress = ReturnType<typeof createProgress>;

/** Says on stderr how far the work is: one line that changes on a terminal, a line now and then elsewhere. */
export function createProgress({
  stream = process.stderr,
  now = Date.now,
}: {
  stream?: { isTTY?: boolean; columns?: number; write(text: string): unknown };
  now?: () => number;
} = {}) {
  const isTerminal = stream.isTTY === true;
  const eachMs = isTerminal ? terminalEachMs : logEachMs;
  let samples: { time: number; done: number }[] = [];
  let what = "";
  let shownTime = now();
  let isOpen = false;

  function clear(): void {
    if (isOpen) stream.write("\r\u001b[2K");
    isOpen = false;
  }

  return {
    /** Tells how far a step is. A new `what` begins a new rate. */
    update(step: { what: string; done: number; total?: number | undefined }): void {
      const time = now();
      if (step.what !== what) samples = [];
      what = step.what;
      samples.push({ time, done: step.done });
      if (time - shownTime < eachMs) return;
      shownTime = time;
      while (samples.length > 2 && time - (samples[0]?.time ?? time) > rateWindowMs) samples.shift();
      const first = samples[0] ?? { time, done: step.done };
      const perSecond = time > first.time ? ((step.done - first.done) * 1_000) / (time - first.time) : undefined;
      const line = progressLine({ ...step, perSecond });
      clear();
      // A line that wraps could not be taken back.
      stream.write(isTerminal ? line.slice(0, (stream.columns ?? 80) - 1) : `${line}\n`);
      isOpen = isTerminal;
    },

    /** A line of its own, which stays. */
    say(line: string): void {
      clear();
      stream.write(`${line}\n`);
    },

    end: clear,
  };
}

/** `follows 312,000/1,000,000 · 24,100/s · 29 s left` */
export function progressLine({ what, done, total, perSecond }: Step): string {
  const parts = [total === undefined ? `${what} ${whole(done)}` : `${what} ${whole(done)}/${whole(total)}`];
  if (perSecond !== undefined) parts.push(`${whole(perSecond)}/s`);
  if (total !== undefined && perSecond !== undefined && perSecond > 0) {
    parts.push(`${duration(Math.max(0, total - done) / perSecond)} left`);
  }
  return parts.join(" · ");
}

/** `42 s`, `3 min 05 s`, `2 h 10 min`. */
export function duration(seconds: number): string {
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  const minutes = Math.floor(rounded / 60);
  if (minutes < 60) return `${minutes} min ${String(rounded % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** A whole number as people read it: 1,020,447. */
export const whole = (count: number): string => Math.round(count).toLocaleString("en-US");
