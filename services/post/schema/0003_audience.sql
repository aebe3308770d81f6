-- For whom a post is (Audience of the contract): rows from before are public.
ALTER TABLE post ADD COLUMN audience TINYINT UNSIGNED NOT NULL DEFAULT 1;

-- Whom a post names. Where its audience is those, they are who may see it.
CREATE TABLE post_mention (
  post_id BIGINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (post_id, user_id)
);
