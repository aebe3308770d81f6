-- How many react to a subject otherwise than by a like: one column a kind, so that all kinds are one row and one statement.
ALTER TABLE like_count
  ADD COLUMN dislike_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN love_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN laugh_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN wow_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN sad_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN angry_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN celebrate_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN fire_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN thanks_count BIGINT NOT NULL DEFAULT 0;
