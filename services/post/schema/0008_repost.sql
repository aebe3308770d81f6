-- Who reposted what, and the activity that it is. Gone when it is taken back.
CREATE TABLE repost (
  user_id BIGINT UNSIGNED NOT NULL,
  post_id BIGINT UNSIGNED NOT NULL,
  repost_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id, post_id),
  KEY latest (post_id, repost_id)
);
