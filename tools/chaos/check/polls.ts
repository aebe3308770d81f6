import type { Entry } from "../journal.ts";
import type { Finding, Truth } from "./truth.ts";

/** Options that a row of counts has room for. */
const places = Array.from({ length: 10 }, (_, place) => place);

/** Holds the votes to the journal, and the counts of polls to their votes: each acknowledged one is there, and counted once. */
export async function checkPolls(journal: readonly Entry[], { post }: Truth): Promise<Finding[]> {
  const sums = ["voters", ...places.map((place) => `votes${place}`)].map((name) => `SUM(${name}) AS ${name}`);
  const [votes, counts] = await Promise.all([
    post.query("SELECT post_id, user_id, options FROM poll_vote"),
    post.query(`SELECT post_id, ${sums.join(", ")} FROM poll_count GROUP BY post_id`),
  ]);
  const chosen = new Map(votes.map((row) => [`${row.user_id} ${row.post_id}`, Number(row.options)]));
  const lost = journal.flatMap((entry): Finding[] => {
    if (entry.what !== "vote" || chosen.get(`${entry.who} ${entry.post}`) === 1 << entry.option) return [];
    return [
      { kind: "lost", text: `the vote of ${entry.who} in the poll of ${entry.post} was acknowledged and is not there` },
    ];
  });
  const counted = new Map(counts.map((row) => [String(row.post_id), row]));
  const cast = Map.groupBy(votes, (row) => String(row.post_id));
  const wrong = [...new Set([...counted.keys(), ...cast.keys()])].flatMap((id) => {
    const bits = (cast.get(id) ?? []).map((row) => Number(row.options));
    const due = [bits.length, ...places.map((place) => bits.filter((one) => one & (1 << place)).length)];
    const row = counted.get(id);
    const kept = ["voters", ...places.map((place) => `votes${place}`)].map((name) => Number(row?.[name] ?? 0));
    return differencesIn(id, kept, due);
  });
  return [...lost, ...wrong];
}

/** First who voted, then what they chose, by place. */
const differencesIn = (id: string, kept: readonly number[], due: readonly number[]): Finding[] =>
  kept.flatMap((count, nth): Finding[] => {
    const right = due[nth] ?? 0;
    if (count === right) return [];
    const what = nth === 0 ? "voters" : `votes for option ${nth - 1}`;
    return [
      { kind: count > right ? "doubled" : "lost", text: `the poll of ${id} counts ${count} ${what} for ${right}` },
    ];
  });
