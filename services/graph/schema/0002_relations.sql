-- A private account's posts and lists are for its followers. The version of a person's ties counts each change of a tie
-- of theirs, whoever made it, and each change of their muted words; it has no gaps.
ALTER TABLE account
  ADD COLUMN private TINYINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN tie_version BIGINT UNSIGNED NOT NULL DEFAULT 0;

-- A request is a pair like a follow, in another state.
ALTER TABLE follow
  MODIFY COLUMN following TINYINT UNSIGNED NOT NULL COMMENT '0 not, 1 follows, 2 asked to follow';

ALTER TABLE follower
  MODIFY COLUMN following TINYINT UNSIGNED NOT NULL COMMENT '0 not, 1 follows, 2 asked to follow';

-- What stands between a person and somebody else beside follows. A block is two rows, one a side, in one transaction: each
-- side's own rows decide what it sees. Rows stay when a tie ends (held 0): their version is what consumers compare.
CREATE TABLE tie (
  user_id BIGINT UNSIGNED NOT NULL,
  other_id BIGINT UNSIGNED NOT NULL,
  kind TINYINT UNSIGNED NOT NULL COMMENT '1 blocking, 2 blocked by, 3 muting, 4 close friend of',
  held TINYINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  edge_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id, other_id, kind),
  KEY latest (user_id, kind, held, edge_id)
);

-- A person's lists of people. List 0 is close friends, which everybody has, with or without a row.
CREATE TABLE user_list (
  owner_id BIGINT UNSIGNED NOT NULL,
  list_id BIGINT UNSIGNED NOT NULL,
  name VARCHAR(50) NOT NULL,
  member_count INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (owner_id, list_id)
);

-- Who is on a list. A row stays when somebody goes off it, and goes with its list.
CREATE TABLE list_member (
  owner_id BIGINT UNSIGNED NOT NULL,
  list_id BIGINT UNSIGNED NOT NULL,
  member_id BIGINT UNSIGNED NOT NULL,
  member TINYINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  edge_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (owner_id, list_id, member_id),
  KEY latest (owner_id, list_id, member, edge_id)
);

CREATE TABLE muted_thread (
  user_id BIGINT UNSIGNED NOT NULL,
  post_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id, post_id)
);

-- Words by the hash of how they are compared, so that one in capitals is the same word.
CREATE TABLE muted_word (
  user_id BIGINT UNSIGNED NOT NULL,
  word_hash BINARY(32) NOT NULL,
  word VARCHAR(50) NOT NULL,
  edge_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id, word_hash)
);

-- Keys of creates, so that a create sent twice happens once.
CREATE TABLE idempotency (
  user_id BIGINT UNSIGNED NOT NULL,
  key_hash BINARY(32) NOT NULL,
  request_hash BINARY(32) NOT NULL,
  list_id BIGINT UNSIGNED NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (user_id, key_hash),
  KEY by_time (create_time)
);
