-- Replies: what a comment replies to (0: nothing), the top of its branch (0: itself) and how deep it stands. A stub was removed
-- and has replies, which it holds together.
ALTER TABLE comment
  ADD COLUMN parent_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN root_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN depth TINYINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN stub TINYINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN hidden TINYINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN edit_time TIMESTAMP(3) NULL DEFAULT NULL,
  ADD KEY children (post_id, parent_id, id),
  ADD KEY by_author (author_id, id);

-- How lively a comment is, folded by the relay and by what is heard of reactions, so that a popular comment is no hot row. The
-- heat is the power of two that reactions and replies together once reached: it never falls, so who pages never meets one twice.
CREATE TABLE comment_rank (
  comment_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  post_id BIGINT UNSIGNED NOT NULL,
  parent_id BIGINT UNSIGNED NOT NULL,
  reply_count BIGINT NOT NULL DEFAULT 0,
  reaction_count BIGINT NOT NULL DEFAULT 0,
  reaction_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
  heat TINYINT UNSIGNED NOT NULL DEFAULT 0,
  KEY lively (post_id, parent_id, heat, comment_id)
);

INSERT INTO comment_rank (comment_id, post_id, parent_id) SELECT id, post_id, parent_id FROM comment;

-- Who may comment on a post (Repliers of the contract); a post without a row lets everybody.
CREATE TABLE thread (
  post_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  locked TINYINT UNSIGNED NOT NULL,
  repliers TINYINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL
);
