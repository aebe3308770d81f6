-- What an event still needs to be applied as it came, and when somebody asked to have its aggregate replayed.
ALTER TABLE parked
  ADD COLUMN actor BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN traceparent VARCHAR(55) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  ADD COLUMN position BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN replay_time TIMESTAMP(3) NULL,
  ADD KEY by_replay (stream, replay_time);

-- Events that somebody gave up, whole, with who did so and why: the record is kept, and can be put back.
CREATE TABLE parked_dropped (
  stream VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  aggregate VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  id BIGINT UNSIGNED NOT NULL,
  shard TINYINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payload MEDIUMBLOB NOT NULL,
  reason VARCHAR(500) NOT NULL,
  park_time TIMESTAMP(3) NOT NULL,
  actor BIGINT UNSIGNED NOT NULL,
  traceparent VARCHAR(55) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  position BIGINT UNSIGNED NOT NULL,
  drop_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  dropped_by VARCHAR(128) NOT NULL,
  drop_reason VARCHAR(500) NOT NULL,
  PRIMARY KEY (stream, aggregate, id)
);
