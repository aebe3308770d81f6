-- What somebody uploads or uploaded. A handle is the random part of its addresses. It is collected where nothing was made of
-- it; the row goes with its bytes.
CREATE TABLE media (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  owner_id BIGINT UNSIGNED NOT NULL,
  handle CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind TINYINT UNSIGNED NOT NULL,
  state TINYINT UNSIGNED NOT NULL,
  size_bytes INT UNSIGNED NOT NULL,
  received_bytes INT UNSIGNED NOT NULL DEFAULT 0,
  alt TEXT NOT NULL,
  failure VARCHAR(40) NOT NULL DEFAULT '',
  width INT UNSIGNED NOT NULL DEFAULT 0,
  height INT UNSIGNED NOT NULL DEFAULT 0,
  duration_ms INT UNSIGNED NOT NULL DEFAULT 0,
  blurhash VARCHAR(64) NOT NULL DEFAULT '',
  -- Names and sizes, as JSON.
  variants TEXT NULL,
  -- What it was claimed for, and the post that came of it.
  attachment VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  post_id BIGINT UNSIGNED NULL,
  tries TINYINT UNSIGNED NOT NULL DEFAULT 0,
  -- Who works on it has until then; afterwards somebody else may.
  claim_time TIMESTAMP(3) NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  -- When nobody wants it any more, unless somebody does by then; NULL where it stays.
  collect_time TIMESTAMP(3) NULL,
  KEY by_claim (state, claim_time),
  KEY by_post (post_id),
  KEY by_collect (collect_time)
);

-- The parts of uploads that are not whole yet: bytes from `start` on, each an object of its own.
CREATE TABLE media_part (
  media_id BIGINT UNSIGNED NOT NULL,
  start INT UNSIGNED NOT NULL,
  size_bytes INT UNSIGNED NOT NULL,
  object VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (media_id, start)
);

-- What an owner's uploads take, as announced: in all, and on one day.
CREATE TABLE media_quota (
  owner_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  stored_bytes BIGINT NOT NULL,
  day DATE NOT NULL,
  day_bytes BIGINT NOT NULL
);

-- Keys of creates, so that a create sent twice happens once.
CREATE TABLE idempotency (
  user_id BIGINT UNSIGNED NOT NULL,
  key_hash BINARY(32) NOT NULL,
  request_hash BINARY(32) NOT NULL,
  media_id BIGINT UNSIGNED NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (user_id, key_hash),
  KEY by_time (create_time)
);
