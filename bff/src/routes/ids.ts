import type { HandlerContext } from "@connectrpc/connect";
import { within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";

const idForm = /^[1-9][0-9]{0,18}$/;
/** Ids are positive and fit 63 bits: what does not is no id anywhere, so no service is asked. */
const idMax = (1n << 63n) - 1n;
/** Two characters only where an operator imported them; people choose three or more. */
const usernameForm = /^[a-z][a-z0-9_]{1,29}$/i;

export const isId = (text: string): boolean => idForm.test(text) && BigInt(text) <= idMax;

/** An id or a username, as it is; what is neither names nobody. */
export function userNamed(user: string): string {
  if (!isId(user) && !usernameForm.test(user)) throw notFound("user");
  return user;
}

/** The id behind an id or a username: a name costs one call, an id none. */
export async function userIdOf(user: string, clients: Pick<Clients, "user">, ctx: HandlerContext): Promise<string> {
  if (isId(userNamed(user))) return user;
  const found = await clients.user.getUser({ user }, within(ctx));
  if (found.user === undefined) throw notFound("user");
  return found.user.id;
}

export function postIdOf(post: string): string {
  if (!isId(post)) throw notFound("post");
  return post;
}

export function commentIdOf(comment: string): string {
  if (!isId(comment)) throw notFound("comment");
  return comment;
}

/** A list of the viewer's by its id; close friends have a name in its place. */
export function listIdOf(list: string): string {
  if (list !== "close-friends" && !isId(list)) throw notFound("list");
  return list;
}
