-- What a version holds beside its text (PostContent of the contract), who may reply (0: everyone), and when the version was made;
-- the first has no edit time.
ALTER TABLE post
  ADD COLUMN content MEDIUMBLOB NULL DEFAULT NULL,
  ADD COLUMN reply_setting TINYINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN edit_time TIMESTAMP(3) NULL DEFAULT NULL;

-- Versions that an edit took the place of. Content never changes for one (post, version).
CREATE TABLE post_version (
  post_id BIGINT UNSIGNED NOT NULL,
  version INT UNSIGNED NOT NULL,
  text MEDIUMTEXT NOT NULL,
  content MEDIUMBLOB NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (post_id, version)
);

-- Whether the author named somebody beside the text. Whom only the text names goes when an edit takes the name away.
ALTER TABLE post_mention ADD COLUMN named TINYINT UNSIGNED NOT NULL DEFAULT 1;
