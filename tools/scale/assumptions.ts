/** A number of the model that no measurement gives: what it means, and what it is where nobody says otherwise. */
type Assumption = { readonly value: number; readonly meaning: string };

const assume = (value: number, meaning: string): Assumption => ({ value, meaning });

/** All of them, each a flag of the command. The load is that of 500 million users a day. */
export const assumptions = {
  users: assume(500e6, "people a day"),
  reads: assume(29_000, "feed pages a second, on average over a day"),
  likes: assume(25_500, "likes a second"),
  comments: assume(4_500, "comments a second"),
  posts: assume(3_500, "posts a second"),
  inserts: assume(3.5e6, "timeline entries a second that fan-outs push"),
  peak: assume(2, "the busiest hour, as so many times the average"),
  utilisation: assume(
    0.5,
    "share of a core that is used at the peak: the rest is for a lost zone and for short bursts",
  ),
  "cores-per-machine": assume(32, "of a machine that runs services"),
  "timelines-per-user": assume(1.4, "timelines kept, of those who read within 14 days, for each person of a day"),
  "timeline-entries": assume(400, "entries of a timeline on average; 800 are the bound"),
  "timeline-entry-bytes": assume(20, "in Redis: 16, and the list around them"),
  "reader-bytes": assume(6_000, "beside the timeline: follow set, ties and own likes of each reader"),
  "hot-posts": assume(1e9, "posts whose card and counts are kept, those of a few days"),
  "hot-post-bytes": assume(300, "card, counts and their keys"),
  "redis-gib": assume(64, "of one Redis process's machine share"),
  "redis-fill": assume(0.6, "of its memory used"),
  "redis-copies": assume(2, "a primary and a replica"),
  "mysql-cores": assume(16, "of a shard's primary"),
  "mysql-tib": assume(4, "of a shard's disk that may be filled"),
  "mysql-copies": assume(3, "a primary and two semi-synchronous replicas"),
  "kept-days": assume(365, "days whose rows are on the shards"),
  "post-bytes": assume(1_500, "of a post: row, activity, key, outbox, indexes"),
  "like-bytes": assume(400, "of a like: row, index, outbox"),
  "comment-bytes": assume(1_200, "of a comment: row, index, key, outbox"),
  "facts-per-partition": assume(2_000, "facts a second that one in-order consumer applies"),
  "page-bytes": assume(12_000, "of a page of 20 posts as JSON"),
  compression: assume(0.25, "of a page's size after the edge has compressed it"),
  "thin-bytes": assume(1_200, "of the same page between feed and BFF"),
  "redis-read-bytes": assume(4_000, "that a page reads from Redis"),
  "insert-bytes": assume(120, "of a pushed entry on its way to Redis"),
  "fact-bytes": assume(600, "of a fact in JetStream, with its headers"),
} as const satisfies Record<string, Assumption>;

export type Values = { readonly [Name in keyof typeof assumptions]: number };
