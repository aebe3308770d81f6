-- What people write before it is public, by author. With a publish time it is a scheduled post.
CREATE TABLE draft (
  author_id BIGINT UNSIGNED NOT NULL,
  draft_id BIGINT UNSIGNED NOT NULL,
  text MEDIUMTEXT NOT NULL,
  content MEDIUMBLOB NULL,
  audience TINYINT UNSIGNED NOT NULL,
  reply_setting TINYINT UNSIGNED NOT NULL,
  -- Ids of whom it names beside its text, 8 bytes each.
  named_ids VARBINARY(400) NOT NULL,
  publish_time TIMESTAMP(3) NULL DEFAULT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  edit_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (author_id, draft_id)
);

-- How many drafts an author has. Locked by each change of that number, so that the limit holds.
CREATE TABLE draft_count (
  author_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  drafts INT NOT NULL
);

-- When scheduled posts are due, by shard of their authors: what the holders of the shards look through.
CREATE TABLE schedule (
  shard TINYINT UNSIGNED NOT NULL,
  due_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  draft_id BIGINT UNSIGNED NOT NULL,
  author_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (shard, due_time, draft_id),
  KEY by_draft (draft_id)
);
