/**
 * A batch of reads is answered with what is ready once half of it is, and as much time again has passed: a page that has to be made
 * first must not hold back the others. It goes on being made meanwhile, so whoever asks again alone finds it sooner.
 */
const soonMs = 50;
/** Less than this is not waited for: a moment of the event loop makes nobody late. */
const graceMs = 4;

/** Resolves when all are there, or as long again after half of them, or after `soonMs`; for none at once. None of them may fail. */
export async function mostOf(each: readonly Promise<void>[], nowMs = () => performance.now()): Promise<void> {
  if (each.length === 0) return;
  const beganMs = nowMs();
  await new Promise<void>((resolve) => {
    let timer = setTimeout(resolve, soonMs);
    let ready = 0;
    const arrived = () => {
      ready++;
      const tookMs = nowMs() - beganMs;
      if (ready === each.length) {
        clearTimeout(timer);
        resolve();
      } else if (ready === Math.ceil(each.length / 2)) {
        clearTimeout(timer);
        timer = setTimeout(resolve, Math.min(soonMs - tookMs, Math.max(graceMs, tookMs)));
      }
    };
    for (const one of each) void one.then(arrived);
  });
}
