-- How many changes a person's saves had, which is the version of their set, and how many there are. Locked by each change, so it has no gaps.
CREATE TABLE saver (
  user_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  save_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
  save_count BIGINT UNSIGNED NOT NULL DEFAULT 0
);

-- A pair of a person and a post, in one collection of theirs or in none (0, or one that was taken away). It stays when the post is kept no longer: version
-- and state are what consumers compare.
CREATE TABLE save (
  user_id BIGINT UNSIGNED NOT NULL,
  post_id BIGINT UNSIGNED NOT NULL,
  saved TINYINT UNSIGNED NOT NULL,
  collection_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  save_id BIGINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id, post_id),
  KEY latest (user_id, saved, save_id),
  KEY in_collection (user_id, collection_id, saved, save_id)
);

-- A person's collections. Keys of their creates are in `idempotency`, with the collection's id where a post's would be.
CREATE TABLE collection (
  user_id BIGINT UNSIGNED NOT NULL,
  collection_id BIGINT UNSIGNED NOT NULL,
  name VARCHAR(1000) NOT NULL,
  PRIMARY KEY (user_id, collection_id)
);
