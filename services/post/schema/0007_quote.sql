-- Which post quotes which, by the one that quotes. Detached: the author of the quoted one does not want it there.
CREATE TABLE quote (
  quote_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  quoted_id BIGINT UNSIGNED NOT NULL,
  author_id BIGINT UNSIGNED NOT NULL,
  detached TINYINT UNSIGNED NOT NULL DEFAULT 0,
  KEY by_quoted (quoted_id, quote_id)
);
