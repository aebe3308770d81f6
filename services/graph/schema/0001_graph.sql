-- An account, and what its owner's own follows change: a person is not a hot row, so these are exact in place.
CREATE TABLE account (
  user_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  state TINYINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  follow_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
  following_count BIGINT UNSIGNED NOT NULL DEFAULT 0,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
);

-- How many follow an account: folded by the relay, so that a popular account is no hot row.
CREATE TABLE follower_count (
  user_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  follower_count BIGINT NOT NULL,
  version BIGINT UNSIGNED NOT NULL
);

-- A pair, by its follower. It stays after an unfollow: version and state are what consumers compare.
CREATE TABLE follow (
  follower_id BIGINT UNSIGNED NOT NULL,
  followee_id BIGINT UNSIGNED NOT NULL,
  edge_id BIGINT UNSIGNED NOT NULL,
  following TINYINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (follower_id, followee_id),
  KEY latest (follower_id, following, edge_id)
);

-- The same pair by its followee, in the same transaction: a fan-out that missed a committed follower would lose posts.
CREATE TABLE follower (
  followee_id BIGINT UNSIGNED NOT NULL,
  follower_id BIGINT UNSIGNED NOT NULL,
  edge_id BIGINT UNSIGNED NOT NULL,
  following TINYINT UNSIGNED NOT NULL,
  PRIMARY KEY (followee_id, follower_id),
  KEY latest (followee_id, following, edge_id)
);
