-- What pages say of themselves, as they were fetched, and why there is nothing. It is answered until it expires; its picture stays as
-- long as posts show it.
CREATE TABLE link_preview (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  url_hash BINARY(32) NOT NULL,
  handle CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- LinkPreview of the contract; NULL where there is none.
  preview MEDIUMBLOB NULL,
  failure VARCHAR(40) NOT NULL DEFAULT '',
  expire_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  -- When it may go, unless a post shows it; NULL while one does.
  collect_time TIMESTAMP(3) NULL,
  KEY by_url (url_hash, expire_time),
  KEY by_collect (collect_time)
);

-- Which preview a post shows since which version of it; 0 where it shows none any more.
CREATE TABLE link_preview_use (
  post_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  preview_id BIGINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  KEY by_preview (preview_id)
);
