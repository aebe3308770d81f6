import { newId } from "#lib/storage/id.ts";
import type { Booted } from "./boot.ts";

/** People opened in one call before a test file begins: more than any file names. */
const peopleMax = 3_000;

/** Opens accounts in the graph and hands them out one by one: each is nobody else's. */
export async function peopleOf(system: Pick<Booted<"graph">, "operator" | "as">): Promise<() => string> {
  const ids = Array.from({ length: peopleMax }, () => String(newId()));
  const lists = ids.map((followerId) => ({ followerId, followeeIds: [] }));
  await system.operator.graph.importFollows({ lists }, system.as());
  return () => {
    const id = ids.pop();
    if (id === undefined) throw new Error(`a test file of more than ${peopleMax} people`);
    return id;
  };
}
