import type { Media } from "#gen/skein/media/v1/media_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { newId } from "#lib/storage/id.ts";
import { bigintOf, isDuplicate, type Param, type Row, type Statements } from "#lib/storage/mysql.ts";
import { userRegistered } from "./events.ts";
import { avatarIn, type ProfileChange, updateProfile } from "./store/profile.ts";

/** Where a registration is: begun here, or finished in the graph too. */
export const userState = { registering: 0, open: 1 } as const;

export type StoredUser = {
  readonly id: bigint;
  readonly username: string;
  readonly displayName: string;
  readonly bio: string;
  readonly passwordHash: string;
  readonly version: number;
  readonly state: number;
  readonly createTime: Date;
  readonly avatar: Media | undefined;
};

export type NewUser = Pick<StoredUser, "username" | "displayName" | "bio" | "passwordHash">;

const columns = "id, username, display_name, bio, password_hash, version, state, create_time, avatar";
const insertUser = "INSERT INTO user (id, username, display_name, bio, password_hash, version, state) VALUES ?";

/** An import that meets another one reads again whose the names are. */
const triesMax = 3;

/** The truth about users. */
export type UserStore = ReturnType<typeof userStore>;

export function userStore(db: Statements) {
  const byIds = async (ids: readonly bigint[]): Promise<Map<bigint, StoredUser>> => {
    const rows = await db.query(`SELECT ${columns} FROM user WHERE id IN (?)`, [[0n, ...ids]]);
    return new Map(rows.map(userOf).map((user) => [user.id, user]));
  };
  const byNames = async (usernames: readonly string[]): Promise<Map<string, bigint>> => {
    const rows = await db.query("SELECT username, user_id FROM username WHERE username IN (?)", [["", ...usernames]]);
    return new Map(rows.map((row) => [String(row.username), bigintOf(row.user_id)]));
  };

  return {
    byIds,
    byNames,

    update: (userId: bigint, change: ProfileChange, origin: Origin): Promise<void> =>
      updateProfile(db, userId, change, origin),

    /** One user by name, whatever its state. */
    async byName(username: string): Promise<StoredUser | undefined> {
      const id = (await byNames([username])).get(username);
      return id === undefined ? undefined : (await byIds([id])).get(id);
    },

    /** Begins a registration: the name is theirs from here on. Undefined where it is somebody's already. */
    async begin(user: NewUser): Promise<bigint | undefined> {
      const id = newId();
      try {
        await db.tx(async (tx) => {
          await tx.exec("INSERT INTO username (username, user_id) VALUES (?, ?)", [user.username, id]);
          await tx.exec(insertUser, [[rowOf(id, user, userState.registering)]]);
        });
        return id;
      } catch (reason) {
        if (isDuplicate(reason)) return undefined;
        throw reason;
      }
    },

    /** The last step of a registration; again is the same as once. */
    finish: (id: bigint, origin: Origin): Promise<void> =>
      db.tx(async (tx) => {
        const done = await tx.exec("UPDATE user SET state = ? WHERE id = ? AND state = ?", [
          userState.open,
          id,
          userState.registering,
        ]);
        if (done === 1) await append(tx, [userRegistered(id, 1, origin)]);
      }),

    /** Registrations that stopped on their way, oldest first. */
    async unfinished(beforeMs: number, limit: number): Promise<bigint[]> {
      const rows = await db.query(
        `SELECT id FROM user WHERE state = ? AND create_time < ? ORDER BY create_time LIMIT ${limit}`, // by_state
        [userState.registering, new Date(beforeMs)],
      );
      return rows.map((row) => bigintOf(row.id));
    },

    /** Opens many accounts at once; those whose name is taken keep who they are. Answers ids by name. */
    async importAll(users: readonly NewUser[], origin: Origin): Promise<Map<string, bigint>> {
      for (let tried = 1; ; tried++) {
        const taken = await byNames(users.map(({ username }) => username));
        try {
          return new Map([...taken, ...(await insertAll(db, freshOf(users, taken), origin))]);
        } catch (reason) {
          // Somebody took one of the names meanwhile: now it is seen.
          if (!isDuplicate(reason) || tried === triesMax) throw reason;
        }
      }
    },
  };
}

async function insertAll(db: Statements, fresh: readonly NewUser[], origin: Origin): Promise<[string, bigint][]> {
  if (fresh.length === 0) return [];
  const made = fresh.map((user) => ({ id: newId(), user }));
  await db.tx(async (tx) => {
    const names: Param[][] = made.map(({ id, user }) => [user.username, id]);
    await tx.exec("INSERT INTO username (username, user_id) VALUES ?", [names]);
    await tx.exec(insertUser, [made.map(({ id, user }) => rowOf(id, user, userState.open))]);
    await append(
      tx,
      made.map(({ id }) => userRegistered(id, 1, origin)),
    );
  });
  return made.map(({ id, user }) => [user.username, id]);
}

/** Those whose name is free, the first of each name, in one order for everyone, so that no two imports wait in a ring. */
function freshOf(users: readonly NewUser[], taken: ReadonlyMap<string, bigint>): NewUser[] {
  const fresh = new Map<string, NewUser>();
  for (const user of users) if (!taken.has(user.username) && !fresh.has(user.username)) fresh.set(user.username, user);
  return [...fresh.values()].sort((a, b) => (a.username < b.username ? -1 : 1));
}

const rowOf = (id: bigint, { username, displayName, bio, passwordHash }: NewUser, state: number): Param[] => [
  id,
  username,
  displayName,
  bio,
  passwordHash,
  1,
  state,
];

const userOf = (row: Row): StoredUser => ({
  id: bigintOf(row.id),
  username: String(row.username),
  displayName: String(row.display_name),
  bio: String(row.bio),
  passwordHash: String(row.password_hash),
  version: Number(row.version),
  state: Number(row.state),
  createTime: row.create_time as Date,
  avatar: avatarIn(row.avatar),
});
