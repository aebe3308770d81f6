/** A fact by its name: what a write has told, and what a later read must not be older than. */
export type FactRef = { readonly noun: string; readonly shard: number; readonly id: bigint };

/** Facts that travel together: the newest. Older ones are long applied, or their reader has written much since. */
const factsMax = 4;

/** Metadata of a request: facts that its answer must not be older than. */
export const afterKey = "skein-after";
/** A trailer: facts that the callee has told. */
export const toldKey = "skein-told";

/** The facts a call tells while it works, by what they are about: a transaction that runs again tells them anew. */
export type Told = { readonly noun: string; readonly facts: Map<string, FactRef> };

export const newTold = (noun: string): Told => ({ noun, facts: new Map() });

/** The newest, latest first; ids sort by time. */
export function newestOf(facts: Iterable<FactRef>): FactRef[] {
  const byName = new Map(Array.from(facts, (one) => [`${one.noun} ${one.id}`, one]));
  return [...byName.values()].sort((a, b) => (a.id > b.id ? -1 : 1)).slice(0, factsMax);
}

/** `like.12.34,comment.5.67`: noun, shard and id of each. */
export const encodeFacts = (facts: Iterable<FactRef>): string =>
  newestOf(facts)
    .map(({ noun, shard, id }) => `${noun}.${shard}.${id}`)
    .join();

const factForm = /^([a-z]{1,20})\.(\d{1,2})\.([1-9]\d{0,18})$/;

/** What `encodeFacts` wrote; what has another form names nothing. */
export function decodeFacts(text: string): FactRef[] {
  const found = text.split(",", factsMax).flatMap((part) => {
    const [, noun, shard, id] = factForm.exec(part) ?? [];
    return noun === undefined || id === undefined ? [] : [{ noun, shard: Number(shard), id: BigInt(id) }];
  });
  return found;
}

/** Takes over what a callee has told. */
export function hear(told: Told, text: string): void {
  for (const one of decodeFacts(text)) told.facts.set(`${one.noun} ${one.id}`, one);
}
