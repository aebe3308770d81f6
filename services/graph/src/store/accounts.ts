import { Code } from "@connectrpc/connect";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { withPending } from "#lib/events/pending.ts";
import { problem } from "#lib/mesh/errors.ts";
import { mayWrite } from "#lib/readmodel/audience.ts";
import { bigintOf, type Row, type Statements } from "#lib/storage/mysql.ts";
import { accountChanged, followerDeltas } from "../events.ts";
import { type Asked, changeAccount } from "./change.ts";

/** An account with its counts. */
export type StoredAccount = {
  readonly userId: bigint;
  readonly state: AccountState;
  readonly isPrivate: boolean;
  readonly version: bigint;
  readonly followerCount: bigint;
  readonly followingCount: bigint;
};

const { ACTIVE, DEACTIVATED, GONE } = AccountState;

/** Accounts, and who may bring them into which state. */
export function accounts(db: Statements) {
  return {
    createAccount: (userId: bigint, origin: Origin): Promise<boolean> =>
      db.tx(async (tx) => {
        const created = await tx.exec("INSERT IGNORE INTO account (user_id, state, version) VALUES (?, ?, 1)", [
          userId,
          ACTIVE,
        ]);
        const account = { userId, state: ACTIVE, isPrivate: false, version: 1n };
        if (created === 1) await append(tx, [accountChanged(account, origin)]);
        return created === 1;
      }),

    /** Accounts by id, whatever their state, counting also the followers that the shards `late` have not folded. */
    accounts: async (userIds: readonly bigint[], late: readonly number[] = []): Promise<Map<bigint, StoredAccount>> => {
      const sql =
        "SELECT a.user_id, a.state, a.private, a.version, a.following_count, c.follower_count FROM account a LEFT JOIN follower_count c ON c.user_id = a.user_id WHERE a.user_id IN (?)"; // PRIMARY, PRIMARY
      const { rows, pending } = await withPending(db, { sql, columns: 6, params: [[0n, ...userIds]] }, late);
      const deltas = followerDeltas(pending);
      const accounts = rows.map(accountOf).map((account) => {
        const followerCount = account.followerCount + BigInt(deltas.get(account.userId) ?? 0);
        return { ...account, followerCount: followerCount < 0n ? 0n : followerCount };
      });
      return new Map(accounts.map((account) => [account.userId, account]));
    },

    /** Makes the viewer's account private or public. */
    setPrivate: (asked: Asked, isPrivate: boolean) =>
      changeAccount(db, asked, asked.viewerId, (account) => {
        mayWrite(account);
        account.isPrivate = isPrivate;
      }),

    /** Brings the viewer's account into ACTIVE, DEACTIVATED or GONE; PERMISSION_DENIED where it is suspended or gone. */
    setOwnState: (asked: Asked, state: AccountState) =>
      changeAccount(db, asked, asked.viewerId, (account) => {
        const isOwn = account.state === DEACTIVATED || account.state === state;
        if (!isOwn) mayWrite(account);
        account.state = state;
      }),

    /** Brings an account into SUSPENDED, or from there into ACTIVE: the operator's. */
    setState: (asked: Asked, userId: bigint, state: AccountState) =>
      changeAccount(db, asked, userId, (account) => {
        if (account.state === GONE) throw problem(Code.FailedPrecondition, "account-gone", "the account is gone");
        if (account.state === DEACTIVATED && state === ACTIVE) {
          throw problem(Code.FailedPrecondition, "account-deactivated", "its owner closed it and may open it");
        }
        account.state = state;
      }),
  };
}

const accountOf = (row: Row): StoredAccount => ({
  userId: bigintOf(row.user_id),
  state: Number(row.state) as AccountState,
  isPrivate: Number(row.private) === 1,
  version: bigintOf(row.version),
  followerCount: bigintOf(row.follower_count),
  followingCount: bigintOf(row.following_count),
});
