-- How often a post is reposted and quoted, folded by the relay, and how many folds there were: with `version` that orders what
-- readers are told of the post. Counted once here for what was passed on before; a repost counts as folded once, so that its card,
-- which says from now on what it passes on, takes the place of the one before.
ALTER TABLE post
  ADD COLUMN repost_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN quote_count BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN count_version INT UNSIGNED NOT NULL DEFAULT 0;

UPDATE post p
  JOIN (SELECT post_id, COUNT(*) AS reposts FROM repost GROUP BY post_id) r ON r.post_id = p.id
  SET p.repost_count = r.reposts, p.count_version = 1;

UPDATE post p
  JOIN (SELECT quoted_id, COUNT(*) AS quotes FROM quote WHERE detached = 0 GROUP BY quoted_id) q ON q.quoted_id = p.id
  SET p.quote_count = q.quotes, p.count_version = 1;

UPDATE post SET count_version = 1 WHERE reply_setting = 7;

-- What a person reposted, latest first.
ALTER TABLE repost ADD KEY own_latest (user_id, repost_id);
