-- Whom comments name, so that each can be shown where they are named. Those that stand from before are found when they are edited.
CREATE TABLE comment_mention (
  user_id BIGINT UNSIGNED NOT NULL,
  comment_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id, comment_id),
  KEY by_comment (comment_id)
);
