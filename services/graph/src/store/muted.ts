import { Code } from "@connectrpc/connect";
import { problem } from "#lib/mesh/errors.ts";
import { folded } from "#lib/mesh/text.ts";
import { newId } from "#lib/storage/id.ts";
import { hashOf } from "#lib/storage/idempotency.ts";
import { bigintOf, type Statements } from "#lib/storage/mysql.ts";
import { mutedWordsChanged } from "../events.ts";
import { type Asked, type Change, changeOwn } from "./change.ts";
import { hasWords } from "./ties.ts";

/** Threads and words that one account mutes. */
const threadsMax = 1_000;
const wordsMax = 200;

/** What people mute beside people. */
export function muted(db: Statements) {
  return {
    muteThread: (asked: Asked, postId: bigint) =>
      changeOwn(db, asked, async ({ tx, viewer }) => {
        const rows = await tx.query(
          "SELECT COUNT(*) AS n, COALESCE(SUM(post_id = ?), 0) AS found FROM muted_thread WHERE user_id = ?", // PRIMARY
          [postId, viewer.userId],
        );
        const { n, found } = rows[0] ?? {};
        if (Number(found) > 0) return;
        if (Number(n) >= threadsMax) throw full("thread-limit", `${threadsMax} threads reached`);
        await tx.exec("INSERT INTO muted_thread (user_id, post_id) VALUES (?, ?)", [viewer.userId, postId]);
      }),

    unmuteThread: (asked: Asked, postId: bigint) =>
      changeOwn(db, asked, async ({ tx, viewer }) => {
        await tx.exec("DELETE FROM muted_thread WHERE user_id = ? AND post_id = ?", [viewer.userId, postId]);
      }),

    /** Which of some threads a person mutes. */
    mutedThreads: async (userId: bigint, postIds: readonly bigint[]): Promise<bigint[]> => {
      const rows = await db.query(
        "SELECT post_id FROM muted_thread WHERE user_id = ? AND post_id IN (?)", // PRIMARY
        [userId, [0n, ...postIds]],
      );
      return rows.map((row) => bigintOf(row.post_id));
    },

    muteWord: (asked: Asked, word: string) =>
      changeOwn(db, asked, async (change) => {
        const { tx, viewer } = change;
        const rows = await tx.query("SELECT word_hash FROM muted_word WHERE user_id = ?", [viewer.userId]); // PRIMARY
        const hash = keyOf(word);
        if (rows.some((row) => hash.equals(row.word_hash as Buffer))) return;
        if (rows.length >= wordsMax) throw full("word-limit", `${wordsMax} words reached`);
        await tx.exec("INSERT INTO muted_word (user_id, word_hash, word, edge_id) VALUES (?, ?, ?, ?)", [
          viewer.userId,
          hash,
          word,
          newId(),
        ]);
        setWords(change, true);
      }),

    unmuteWord: (asked: Asked, word: string) =>
      changeOwn(db, asked, async (change) => {
        const { tx, viewer } = change;
        const which = [viewer.userId, keyOf(word)];
        const removed = await tx.exec("DELETE FROM muted_word WHERE user_id = ? AND word_hash = ?", which);
        if (removed > 0) setWords(change, await hasWords(tx, viewer.userId));
      }),

    /** All of them in the order they were added, with a version that was current when this began. */
    async mutedWords(userId: bigint): Promise<{ words: string[]; version: bigint }> {
      const [account] = await db.query("SELECT tie_version FROM account WHERE user_id = ?", [userId]); // PRIMARY
      const rows = await db.query("SELECT word FROM muted_word WHERE user_id = ? ORDER BY edge_id", [userId]); // PRIMARY
      return { words: rows.map((row) => String(row.word)), version: bigintOf(account?.tie_version) };
    },
  };
}

function setWords(change: Change, some: boolean): void {
  const { viewer, asked } = change;
  change.words(viewer, some);
  change.tell(mutedWordsChanged(viewer.userId, viewer.tieVersion, asked.origin));
}

const keyOf = (word: string): Buffer => hashOf(folded(word));

const full = (reason: string, message: string) => problem(Code.ResourceExhausted, reason, message);
