-- Until when a poll is open. What it asks is in the post's content, and never changes.
CREATE TABLE poll (
  post_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  end_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
);

-- Who chose what, one bit an option. It never changes, and nobody else is told.
CREATE TABLE poll_vote (
  post_id BIGINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  options INT UNSIGNED NOT NULL,
  PRIMARY KEY (post_id, user_id)
);

-- How many chose what, counted in the transaction of each vote; in several rows a poll, so that voters do not wait for each other.
CREATE TABLE poll_count (
  post_id BIGINT UNSIGNED NOT NULL,
  slot TINYINT UNSIGNED NOT NULL,
  voters INT UNSIGNED NOT NULL,
  votes0 INT UNSIGNED NOT NULL,
  votes1 INT UNSIGNED NOT NULL,
  votes2 INT UNSIGNED NOT NULL,
  votes3 INT UNSIGNED NOT NULL,
  votes4 INT UNSIGNED NOT NULL,
  votes5 INT UNSIGNED NOT NULL,
  votes6 INT UNSIGNED NOT NULL,
  votes7 INT UNSIGNED NOT NULL,
  votes8 INT UNSIGNED NOT NULL,
  votes9 INT UNSIGNED NOT NULL,
  PRIMARY KEY (post_id, slot)
);
