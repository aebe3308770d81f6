-- How many keep a post, folded with how often it is passed on. Counted once here for what was kept before.
ALTER TABLE post ADD COLUMN save_count BIGINT NOT NULL DEFAULT 0;

UPDATE post p
  JOIN (SELECT post_id, COUNT(*) AS saves FROM save WHERE saved = 1 GROUP BY post_id) s ON s.post_id = p.id
  SET p.save_count = s.saves, p.count_version = p.count_version + 1;
