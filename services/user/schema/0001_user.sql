-- A profile and its credential. State 0: registering (the saga has steps to go), 1: open.
CREATE TABLE user (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  username VARCHAR(30) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  display_name VARCHAR(50) NOT NULL,
  bio VARCHAR(500) NOT NULL DEFAULT '',
  password_hash VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version INT UNSIGNED NOT NULL,
  state TINYINT UNSIGNED NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  KEY by_state (state, create_time)
);

-- Whose a name is: the way from a name to its shard.
CREATE TABLE username (
  username VARCHAR(30) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  user_id BIGINT UNSIGNED NOT NULL
);
