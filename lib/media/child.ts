//! The process in which uploads are decoded: one that dies, or is killed for its time or its memory, takes nobody along. It is
//! told of one file at a time and has nothing else: no key, no address, no connection.

import type { MediaKind, Prepared } from "./kinds.ts";
import { prepare } from "./prepare.ts";
import { type Reason, Refusal } from "./refusal.ts";

export type Job = { readonly file: string; readonly dir: string; readonly kind: MediaKind };
export type Outcome =
  | { readonly prepared: Prepared }
  | { readonly refused: Reason; readonly message: string }
  | { readonly failed: string };

process.on("message", (job: Job) => void outcomeOf(job).then((outcome) => process.send?.(outcome)));
process.once("disconnect", () => process.exit());

async function outcomeOf({ file, dir, kind }: Job): Promise<Outcome> {
  try {
    return { prepared: await prepare(file, dir, kind) };
  } catch (reason) {
    if (reason instanceof Refusal) return { refused: reason.reason, message: reason.message };
    return { failed: reason instanceof Error ? (reason.stack ?? reason.message) : String(reason) };
  }
}
