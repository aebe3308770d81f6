-- A comment, by its post, so that a list is one range. Deleting leaves the row as a tombstone: its version is what keeps
-- older facts from bringing it back.
CREATE TABLE comment (
  post_id BIGINT UNSIGNED NOT NULL,
  id BIGINT UNSIGNED NOT NULL,
  author_id BIGINT UNSIGNED NOT NULL,
  version INT UNSIGNED NOT NULL,
  deleted TINYINT UNSIGNED NOT NULL DEFAULT 0,
  text TEXT NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (post_id, id),
  UNIQUE KEY by_id (id)
);

-- How many comments a post has: folded by the relay, so that a popular post is no hot row.
CREATE TABLE comment_count (
  post_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  comment_count BIGINT NOT NULL,
  version BIGINT UNSIGNED NOT NULL
);

-- Keys of creates, so that a create sent twice happens once.
CREATE TABLE idempotency (
  user_id BIGINT UNSIGNED NOT NULL,
  key_hash BINARY(32) NOT NULL,
  request_hash BINARY(32) NOT NULL,
  comment_id BIGINT UNSIGNED NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (user_id, key_hash),
  KEY by_time (create_time)
);
