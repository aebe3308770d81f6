/** How often a condition is looked at, and for how long before the test has failed. */
const everyMs = 5;
const limitMs = 30_000;

/** Waits on a condition. `what` names it where it does not come true. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((again) => setTimeout(again, everyMs));
  }
}
