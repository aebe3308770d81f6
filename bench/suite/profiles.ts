import type { Mix } from "../load/deck.ts";
import { dress } from "./rich.ts";
import type { System } from "./system.ts";
import type { Town } from "./town.ts";
import { flush, kill, rename } from "./trouble.ts";

/** A mix of requests, and what happens meanwhile. */
export type Profile = {
  readonly mix: Mix;
  readonly pageSize: number;
  readonly connections?: number;
  /** Posts that are liked and looked at: so many after the newest so many. No two profiles that like share one. */
  readonly posts: readonly [from: number, count: number];
  /** Whether a page from memory is the like of it: then it has a share of the yardstick. */
  readonly isPage: boolean;
  /** Done before everything, and what it answers after it. */
  readonly around?: (system: System, town: Town) => Promise<() => Promise<void>>;
  /** Done before each measurement. */
  readonly before?: (system: System) => Promise<void>;
  /** Goes on while one is under way, of so many seconds; what it answers ends it. */
  readonly during?: (system: System, seconds: number) => () => Promise<void>;
  /** Requests may fail: processes are killed. */
  readonly mayFail?: boolean;
  /** The BFF keeps half of what the pages of the town hold. */
  readonly isHalved?: boolean;
};

const most = [1_002, Number.POSITIVE_INFINITY] as const;
const home = { mix: { feed: 1 }, pageSize: 20, posts: most, isPage: true } as const;
/** As many as the bars of the write path are stated for. */
const writers = 32;

/** Mixes of requests; `hsa` and `dsb` are those of the benchmarks of that name, with pages as DeathStarBench asks them. */
export const profiles: Readonly<Record<string, Profile>> = {
  feed: home,
  hsa: { ...home, mix: { feed: 0.481, like: 0.385, comment: 0.077, create: 0.057 } },
  "read-heavy": { ...home, mix: { feed: 500 / 501, create: 1 / 501 } },
  dsb: { ...home, mix: { feed: 0.6, person: 0.3, create: 0.1 }, pageSize: 10 },
  connect: { ...home, mix: { connect: 1 } },
  rich: { ...home, around: dress },
  cold: { ...home, before: flush },
  restart: { ...home, during: kill, mayFail: true },
  viral: { ...home, mix: { post: 0.8, like: 0.2 }, posts: [0, 1], isPage: false },
  rename: { ...home, during: rename },
  half: { ...home, isHalved: true },
  posts: { mix: { create: 1 }, pageSize: 20, posts: most, connections: writers, isPage: false },
  likes: { mix: { like: 1 }, pageSize: 20, connections: writers, posts: [2, 1_000], isPage: false },
  "likes-one": { mix: { like: 1 }, pageSize: 20, connections: writers, posts: [1, 1], isPage: false },
};
