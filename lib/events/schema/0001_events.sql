-- The log of facts. Rows are written in the transaction that makes them true, numbered by the relay, and kept.
CREATE TABLE outbox (
  id BIGINT UNSIGNED NOT NULL,
  shard TINYINT UNSIGNED NOT NULL,
  aggregate VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payload MEDIUMBLOB NOT NULL,
  actor BIGINT UNSIGNED NOT NULL,
  traceparent CHAR(55) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  position BIGINT UNSIGNED NULL,
  PRIMARY KEY (id, shard),
  KEY by_position (shard, position)
);

-- How far each shard is: numbered up to position, in the stream up to published of this incarnation.
CREATE TABLE relay (
  shard TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  position BIGINT UNSIGNED NOT NULL DEFAULT 0,
  published BIGINT UNSIGNED NOT NULL DEFAULT 0,
  incarnation INT UNSIGNED NOT NULL DEFAULT 0
);

-- The stream as its relay last saw it. Another creation time or a smaller last sequence means it lost something.
CREATE TABLE relay_stream (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  incarnation INT UNSIGNED NOT NULL,
  created VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  last_sequence BIGINT UNSIGNED NOT NULL
);

-- Who does which share of the work, until when. The fence grows with each change of hands.
CREATE TABLE lease (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  team VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  holder VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  fence BIGINT UNSIGNED NOT NULL,
  expire_time TIMESTAMP(3) NOT NULL,
  KEY by_team (team, holder)
);

-- Where a consumer goes on in each partition of a stream. A place, not the guard: effects are idempotent by themselves.
CREATE TABLE place (
  stream VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  shard TINYINT UNSIGNED NOT NULL,
  incarnation INT UNSIGNED NOT NULL,
  sequence BIGINT UNSIGNED NOT NULL,
  position BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (stream, shard)
);

-- Events that could not be applied, with everything later of the same aggregate.
CREATE TABLE parked (
  stream VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  aggregate VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  id BIGINT UNSIGNED NOT NULL,
  shard TINYINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payload MEDIUMBLOB NOT NULL,
  reason VARCHAR(500) NOT NULL,
  park_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (stream, aggregate, id)
);
