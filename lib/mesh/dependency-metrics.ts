import { gauge, inTime } from "./metrics.ts";

/** An answer that takes longer is none: calls of ours would give it up too. */
const answerMs = 1_000;

const asks = new Map<string, () => Promise<unknown>>();

gauge({
  name: "skein_dependency_up",
  help: "1 where a server this process stands on answers it now, 0 where it does not within a second.",
  labels: ["dependency"],
  async collect(up) {
    const one = async ([dependency, ask]: readonly [string, () => Promise<unknown>]) => {
      const answered = inTime(answerMs, ask).then(() => true);
      up.set({ dependency }, (await answered.catch(() => false)) ? 1 : 0);
    };
    await Promise.all([...asks].map(one));
  },
});

/** Has each scrape ask the servers this process stands on, by name. */
export function watchDependencies(servers: Readonly<Record<string, () => Promise<unknown>>>): void {
  for (const [name, ask] of Object.entries(servers)) asks.set(name, ask);
}
