-- The version that a link's preview made, where one did: its author's words are as they were in the one before it.
ALTER TABLE post ADD COLUMN preview_version INT UNSIGNED NULL DEFAULT NULL;

-- Posts whose first link is to get a preview, by shard of the posts: what the holders of the shards look through.
CREATE TABLE preview_task (
  post_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  shard TINYINT UNSIGNED NOT NULL,
  due_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  tries TINYINT UNSIGNED NOT NULL DEFAULT 0,
  KEY by_due (shard, due_time)
);
