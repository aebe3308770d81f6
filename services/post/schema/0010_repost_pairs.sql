-- The pair of a person and a post stays when a repost is taken back, so that taking it back again finds what readers are to be told.
ALTER TABLE repost
  ADD COLUMN ended TINYINT UNSIGNED NOT NULL DEFAULT 0,
  ADD KEY of_post (post_id, ended, repost_id),
  ADD KEY of_user (user_id, ended, repost_id),
  DROP KEY latest,
  DROP KEY own_latest;
