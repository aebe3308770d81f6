import { Code, ConnectError } from "@connectrpc/connect";
import { LRUCache } from "lru-cache";
import { invalid } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { Asking } from "./asking.ts";

/** People whose ids are remembered, about 200 bytes each; anybody else is asked for again. */
const knownMax = 500_000;

const numberForm = /^(0|[1-9][0-9]{0,9})$/;
const nameForm = /^username_(0|[1-9][0-9]{0,9})$/;

/** Somebody as the benchmark's scripts name them: user `7` is `username_7`. */
export type Numbered = { readonly number: string; readonly username: string };

/** From a form's `user_id`. INVALID_ARGUMENT names the field. */
export function numbered(field: string, value: string): Numbered {
  if (!numberForm.test(value)) throw invalid(field, "must be a whole number, such as 7");
  return { number: value, username: `username_${value}` };
}

/** From a form's user name: the scripts make every name of its number, so no table has to hold which is whose. */
export function named(field: string, value: string): Numbered {
  const number = nameForm.exec(value)?.[1];
  if (number === undefined) throw invalid(field, "must be username_<user_id>, as the scripts name people");
  return { number, username: value };
}

/** The number of one of our usernames; the name itself where it is nobody of theirs. */
export const numberOf = (username: string): string => nameForm.exec(username)?.[1] ?? username;

export function createPeople({ user }: Pick<Clients, "user">) {
  const known = new LRUCache<string, string>({ max: knownMax });

  async function find({ username }: Numbered, asking: Asking): Promise<string | undefined> {
    const found = known.get(username);
    if (found !== undefined) return found;
    try {
      const answer = await user.getUser({ user: username }, asking.as(undefined));
      if (answer.user !== undefined) known.set(username, answer.user.id);
      return answer.user?.id;
    } catch (reason) {
      if (reason instanceof ConnectError && reason.code === Code.NotFound) return undefined;
      throw reason;
    }
  }

  async function register(person: Numbered, profile: { password: string; displayName: string }, asking: Asking) {
    const answer = await user.register({ username: person.username, ...profile }, asking.as(undefined));
    if (answer.user === undefined) throw new Error("registered nobody");
    known.set(person.username, answer.user.id);
    return answer.user.id;
  }

  return {
    register,

    /** Our id of somebody; undefined where nobody registered them. */
    find,

    /** The same; the loader also posts as, and mentions, a user that it never registered, so they are made when they act. */
    async findOrRegister(person: Numbered, asking: Asking): Promise<string> {
      const profile = { password: `password_${person.number}`, displayName: person.username };
      return (await find(person, asking)) ?? (await register(person, profile, asking));
    },
  };
}
