import { append } from "#lib/events/outbox.ts";
import { newId } from "#lib/storage/id.ts";
import { bigintOf, type Db, isDuplicate, type Param, type Row, type Sql } from "#lib/storage/mysql.ts";
import { type Origin, userRegistered } from "./events.ts";

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
};

export type NewUser = Pick<StoredUser, "username" | "displayName" | "bio" | "passwordHash">;

const columns = "id, username, display_name, bio, password_hash, version, state, create_time";
const insertUser = "INSERT INTO user (id, username, display_name, bio, password_hash, version, state) VALUES ?";

/** A name may be taken between the look and the insert; more often than this it is another fault. */
const importTriesMax = 3;

/** The truth about users. */
export type UserStore = ReturnType<typeof userStore>;

export function userStore(db: Db) {
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
      const byName = new Map(users.map((user) => [user.username, user]));
      for (let tried = 1; ; tried++) {
        const taken = await byNames([...byName.keys()]);
        // In the order of the names, so that two imports of the same people wait for each other and do not deadlock.
        const fresh = [...byName.values()]
          .filter(({ username }) => !taken.has(username))
          .sort((a, b) => (a.username < b.username ? -1 : 1))
          .map((user) => ({ id: newId(), user }));
        try {
          if (fresh.length > 0) await db.tx((tx) => insertAll(tx, fresh, origin));
          return new Map([...taken, ...fresh.map(({ id, user }) => [user.username, id] as const)]);
        } catch (reason) {
          // Somebody took a name meanwhile: the same import, sent again while its first call still ran.
          if (!isDuplicate(reason) || tried === importTriesMax) throw reason;
        }
      }
    },
  };
}

async function insertAll(tx: Sql, fresh: readonly { id: bigint; user: NewUser }[], origin: Origin): Promise<void> {
  const names: Param[][] = fresh.map(({ id, user }) => [user.username, id]);
  await tx.exec("INSERT INTO username (username, user_id) VALUES ?", [names]);
  await tx.exec(insertUser, [fresh.map(({ id, user }) => rowOf(id, user, userState.open))]);
  await append(
    tx,
    fresh.map(({ id }) => userRegistered(id, 1, origin)),
  );
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
});
