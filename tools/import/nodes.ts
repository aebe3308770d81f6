/** Half full a table answers in one or two looks. */
const loadMax = 0.5;
const firstSlots = 1 << 16;

/**
 * The nodes of a file and the accounts they became. Nodes are numbered as they come (0, 1, 2, …); the table is two
 * typed arrays, open addressing: 28 to 44 bytes a node, where a Map of numbers and bigints takes 120.
 */
export function createNodes() {
  let slots = firstSlots;
  /** Slot → node number + 1; 0 is free. */
  let table = new Uint32Array(slots);
  let names = new Float64Array(slots * loadMax);
  let ids = new BigUint64Array(slots * loadMax);
  let size = 0;

  function slotOf(name: number): number {
    let slot = hashOf(name) & (slots - 1);
    for (;;) {
      const held = table[slot] ?? 0;
      if (held === 0 || names[held - 1] === name) return slot;
      slot = (slot + 1) & (slots - 1);
    }
  }

  function grow(): void {
    slots *= 2;
    table = new Uint32Array(slots);
    names = copied(names, new Float64Array(slots * loadMax));
    ids = copied(ids, new BigUint64Array(slots * loadMax));
    for (let index = 0; index < size; index++) table[slotOf(names[index] ?? 0)] = index + 1;
  }

  return {
    size: (): number => size,

    /** The number of a node; a new one where it was not seen before. */
    indexOf(name: number): number {
      const slot = slotOf(name);
      const held = table[slot] ?? 0;
      if (held !== 0) return held - 1;
      if (size === names.length) {
        grow();
        return this.indexOf(name);
      }
      names[size] = name;
      table[slot] = ++size;
      return size - 1;
    },

    nameOf: (index: number): number => names[index] ?? 0,
    idOf: (index: number): bigint => ids[index] ?? 0n,
    setId(index: number, id: bigint): void {
      ids[index] = id;
    },
  };
}

function copied<T extends Float64Array | BigUint64Array>(from: T, into: T): T {
  (into as Float64Array).set(from as Float64Array);
  return into;
}

/** Both halves of the number, mixed (after Murmur3's finaliser): files number their nodes densely or by hash. */
function hashOf(name: number): number {
  let bits = (name >>> 0) ^ Math.imul(Math.floor(name / 0x1_0000_0000), 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
