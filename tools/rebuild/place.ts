import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FamilyName } from "./families.ts";
import { nothing, type Tally } from "./tally.ts";

/** How far a rebuild is: owners up to `after` are done. */
export type Place = { readonly after: bigint; readonly done: number; readonly tally: Tally };

export const beginning: Place = { after: 0n, done: 0, tally: nothing };

/** The place of a rebuild that did not end, in `<dir>/rebuild/<family>.json`; removed at its end. */
export function placeOf(dir: string, family: FamilyName) {
  const folder = join(dir, "rebuild");
  const file = join(folder, `${family}.json`);
  return {
    read(): Place {
      try {
        const kept = JSON.parse(readFileSync(file, "utf8")) as { after: string; done: number; tally: Tally };
        return { ...kept, after: BigInt(kept.after) };
      } catch {
        return beginning;
      }
    },
    keep({ after, ...rest }: Place): void {
      mkdirSync(folder, { recursive: true });
      writeFileSync(`${file}.new`, JSON.stringify({ after: String(after), ...rest }));
      renameSync(`${file}.new`, file);
    },
    end: () => rmSync(file, { force: true }),
  };
}
