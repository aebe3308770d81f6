import { randomUUID } from "node:crypto";
import type { Said } from "../../../tests/support/edges.ts";
import type { Person } from "../../../tests/support/person.ts";
import { isFine, type Outcome, type World } from "./deed.ts";

/** How far ahead things are scheduled: beyond what a request may take that one door lost, so near that it is due under the same fault, or the next. */
const aheadMsMin = 11_000;
const aheadMsMax = 14_000;

/** A draft that its author publishes at once. */
export async function publishDraft(world: World): Promise<Outcome> {
  const { people, edges, journal } = world;
  const author = people.anyone();
  const { said: kept, key } = await sendDraft(world, author);
  if (kept.status !== 201) return { said: kept };
  const said = await edges.ask("PUT", `/v1/me/drafts/${kept.body.id}/publication`, { token: author.token });
  if (isFine(said.status)) {
    const id = String(said.body.id);
    await journal.record({ what: "post", id, author: author.id, key });
    people.created({ id, author, isLeaving: false });
  }
  return { said };
}

/** A post that becomes public by itself. Nobody edits or deletes it then: its text is what it is known by. */
export async function schedulePost(world: World): Promise<Outcome> {
  const { people, random } = world;
  const dueTime = Date.now() + aheadMsMin + random.below(aheadMsMax - aheadMsMin);
  const { said } = await sendDraft(world, people.anyone(), dueTime);
  return { said };
}

async function sendDraft(
  { edges, journal }: World,
  { id: author, token }: Person,
  dueTime?: number,
): Promise<{ readonly said: Said; readonly key: string }> {
  const key = randomUUID();
  const body = { text: key, ...(dueTime !== undefined && { publishTime: new Date(dueTime).toISOString() }) };
  const said = await edges.ask("POST", "/v1/me/drafts", { token, key, body });
  if (said.status === 201) {
    const id = String(said.body.id);
    await journal.record({ what: "draft", id, author, key, ...(dueTime !== undefined && { dueTime }) });
  }
  return { said, key };
}
