import type { Edges, Said } from "../../../tests/support/edges.ts";
import type { Random } from "../../seed/random.ts";
import type { Journal } from "../journal.ts";
import type { People } from "../people.ts";
import type { Site } from "../site.ts";

export type World = {
  readonly people: People;
  readonly edges: Edges;
  readonly journal: Journal;
  readonly random: Random;
  /** Where links lead; undefined where the system may not ask this machine. */
  readonly site: Site | undefined;
};

/** What became of one request; `wrong` says what an answer lacked that was acknowledged before. */
export type Outcome = { readonly said: Said; readonly wrong?: string };

export const isFine = (status: number): boolean => status >= 200 && status < 300;

/** A post that is being deleted may be there, or not. */
export const orGone = (said: Said, { isLeaving }: { readonly isLeaving: boolean }): Said =>
  said.status === 404 && isLeaving ? { ...said, status: 200 } : said;
