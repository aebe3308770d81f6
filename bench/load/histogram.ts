/** Steps of each power of two: a value is kept to 1.6 %. */
const steps = 64;
const stepBits = 6;
/** Up to 2³¹ µs, which is 35 minutes. */
const slots = steps * (32 - stepBits);

/**
 * Latencies in microseconds, log-linear as HDR histograms are (http://hdrhistogram.org): constant memory and precision over
 * the whole range, and two of them add up.
 */
export function createHistogram(counts: Uint32Array = new Uint32Array(slots)) {
  return {
    counts,

    record(microseconds: number): void {
      const slot = slotOf(Math.max(0, Math.round(microseconds)));
      counts[slot] = (counts[slot] ?? 0) + 1;
    },

    add(other: Uint32Array): void {
      for (const [slot, count] of other.entries()) counts[slot] = (counts[slot] ?? 0) + count;
    },

    /** The milliseconds that this share of all values does not exceed; 0 where there are none. */
    atMs(share: number): number {
      const total = counts.reduce((sum, count) => sum + count, 0);
      let left = Math.ceil(share * total);
      for (const [slot, count] of counts.entries()) {
        left -= count;
        if (left <= 0 && count > 0) return Math.round(highestOf(slot) / 10) / 100;
      }
      return 0;
    },
  };
}

function slotOf(value: number): number {
  if (value < steps) return value;
  const shift = 31 - Math.clz32(value) - stepBits;
  return Math.min(slots - 1, (shift + 1) * steps + ((value >>> shift) - steps));
}

/** The greatest value that falls into a slot. */
function highestOf(slot: number): number {
  if (slot < steps) return slot;
  const shift = Math.floor(slot / steps) - 1;
  return ((slot % steps) + steps + 1) * 2 ** shift - 1;
}
