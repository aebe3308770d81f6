-- A post. Deleting leaves the row as a tombstone: its version is what keeps older facts from bringing it back.
CREATE TABLE post (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  author_id BIGINT UNSIGNED NOT NULL,
  version INT UNSIGNED NOT NULL,
  deleted TINYINT UNSIGNED NOT NULL DEFAULT 0,
  text MEDIUMTEXT NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
);

-- What an author made public, by author. The activity id is the sort key of every timeline.
CREATE TABLE activity (
  author_id BIGINT UNSIGNED NOT NULL,
  activity_id BIGINT UNSIGNED NOT NULL,
  post_id BIGINT UNSIGNED NOT NULL,
  deleted TINYINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (author_id, activity_id)
);

-- Keys of creates, so that a create sent twice happens once.
CREATE TABLE idempotency (
  user_id BIGINT UNSIGNED NOT NULL,
  key_hash BINARY(32) NOT NULL,
  request_hash BINARY(32) NOT NULL,
  post_id BIGINT UNSIGNED NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (user_id, key_hash),
  KEY by_time (create_time)
);
