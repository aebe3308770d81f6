-- A fan-out that is not finished: everyone up to after_id has the activity.
CREATE TABLE fanout_task (
  shard TINYINT UNSIGNED NOT NULL,
  activity_id BIGINT UNSIGNED NOT NULL,
  author_id BIGINT UNSIGNED NOT NULL,
  after_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  traceparent CHAR(55) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (shard, activity_id)
);
