-- How many changes a person's own likes had: the version of their set. Locked by each change, so it has no gaps.
CREATE TABLE liker (
  user_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  like_version BIGINT UNSIGNED NOT NULL DEFAULT 0
);

-- A pair, by its person. It stays when a like is taken back (reaction 0): version and state are what consumers compare.
CREATE TABLE reaction (
  user_id BIGINT UNSIGNED NOT NULL,
  subject_kind TINYINT UNSIGNED NOT NULL,
  subject_id BIGINT UNSIGNED NOT NULL,
  reaction TINYINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id, subject_kind, subject_id)
);

-- The same pair by its subject, in the same transaction: who likes it, latest first.
CREATE TABLE reaction_of (
  subject_id BIGINT UNSIGNED NOT NULL,
  subject_kind TINYINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  reaction TINYINT UNSIGNED NOT NULL,
  like_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (subject_id, subject_kind, user_id),
  KEY latest (subject_id, subject_kind, reaction, like_id)
);

-- How many like a subject: folded by the relay, so that a popular subject is no hot row.
CREATE TABLE like_count (
  subject_id BIGINT UNSIGNED NOT NULL,
  subject_kind TINYINT UNSIGNED NOT NULL,
  like_count BIGINT NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (subject_id, subject_kind)
);
