-- When the post became public, when its first page was begun, and how many followers it reached.
ALTER TABLE fanout_task
  ADD COLUMN public_time TIMESTAMP(3) NULL DEFAULT NULL,
  ADD COLUMN begin_time TIMESTAMP(3) NULL DEFAULT NULL,
  ADD COLUMN follower_count INT UNSIGNED NOT NULL DEFAULT 0;

-- A fan-out that ended, kept for a week so that it can be explained.
CREATE TABLE fanout_done (
  shard TINYINT UNSIGNED NOT NULL,
  activity_id BIGINT UNSIGNED NOT NULL,
  author_id BIGINT UNSIGNED NOT NULL,
  traceparent CHAR(55) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  public_time TIMESTAMP(3) NULL DEFAULT NULL,
  begin_time TIMESTAMP(3) NULL DEFAULT NULL,
  end_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  follower_count INT UNSIGNED NOT NULL,
  PRIMARY KEY (shard, activity_id),
  KEY by_end (end_time)
);
