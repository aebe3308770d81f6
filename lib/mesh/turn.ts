import { isTraced } from "./trace.ts";

/**
 * What is asked for in one turn of the event loop is done together, so many at most, and each asker gets their own answer: the
 * price of a round trip is paid once. An answer that is an Error is its asker's alone; where the work itself fails, it fails for
 * all. Who is traced goes alone, so that the trace shows what was done for it.
 */
export function perTurn<A, R>(
  asksMax: number,
  work: (asks: readonly A[]) => Promise<readonly (R | Error)[]>,
): (ask: A) => Promise<R> {
  type Asker = { readonly ask: A; readonly resolve: (answer: R) => void; readonly reject: (reason: unknown) => void };
  let asking: Asker[] = [];

  const turn = (): void => {
    const askers = asking;
    asking = [];
    for (let at = 0; at < askers.length; at += asksMax) void answer(askers.slice(at, at + asksMax));
  };
  const answer = async (askers: readonly Asker[]): Promise<void> => {
    try {
      const answers = await work(askers.map(({ ask }) => ask));
      for (const [nth, { resolve, reject }] of askers.entries()) {
        const one = answers[nth];
        if (one instanceof Error) reject(one);
        else resolve(one as R);
      }
    } catch (reason) {
      for (const { reject } of askers) reject(reason);
    }
  };

  return (ask) =>
    new Promise((resolve, reject) => {
      if (isTraced()) return void answer([{ ask, resolve, reject }]);
      asking.push({ ask, resolve, reject });
      if (asking.length === 1) setImmediate(turn);
    });
}
