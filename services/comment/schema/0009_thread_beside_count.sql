-- One version says how many comments a post has and who may reply, for readers are told both in one value: a change of the thread is a
-- version of the count. Threads that were changed before count once.
INSERT INTO comment_count (post_id, comment_count, version)
  SELECT post_id, 0, 1 FROM thread
  ON DUPLICATE KEY UPDATE version = comment_count.version + 1;
